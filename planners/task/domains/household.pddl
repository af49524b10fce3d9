; What the robot of the closed loop does at home: it drives to things, opens and closes doors, drawers and lids, takes
; things and puts them somewhere. Costs are metres of travel or their equivalent; how an effect is confirmed is named
; after the sense that sees it.
(define (domain household)
  (:types robot place room - object item part - place)
  (:predicates
    (at ?r - robot ?p - place)
    (held ?i - item ?r - robot)
    ; Open enough to reach inside; ajar is less than that and not shut.
    (open ?d - part)
    (ajar ?d - part)
    ; The part was tried in vain.
    (stuck ?d - part)
    ; The part shuts the thing: one of them must be open to reach inside.
    (shuts ?d - part ?p - place)
    (on ?i - item ?p - place)
    (in ?i - item ?p - place)
    (near ?i - item ?p - place)
    ; Where things stand, and where the robot is; in a doorway that is nowhere.
    (located ?p - place ?m - room)
    (inside ?r - robot ?m - room)
    (movable ?i - item)
    ; Where nothing is to be put, though it may be of a kind on, in or near which things are.
    (unfit_on ?p - place)
    (unfit_in ?p - place)
    (unfit_near ?p - place))

  (:derived (shut ?p - place)
    (and (exists (?d - part) (shuts ?d ?p)) (not (exists (?d - part) (and (shuts ?d ?p) (open ?d))))))
  (:derived (out_of_reach ?i - item) (exists (?p - place) (and (in ?i ?p) (shut ?p))))
  (:derived (hand_full ?r - robot) (exists (?i - item) (held ?i ?r)))

  (:action navigate :parameters (?r - robot ?from ?to - place)
    :precondition (and
      (needs missing (at ?r ?from))
      (needs satisfied (not (= ?from ?to))))
    :effect (and
      (not (at ?r ?from))
      (at ?r ?to)
      (forall (?m - room) (when (and (inside ?r ?m) (not (located ?to ?m))) (not (inside ?r ?m))))
      (forall (?m - room) (when (located ?to ?m) (inside ?r ?m))))
    :cost (+ 0.5 (* 1 (distance ?from ?to)))
    :duration 15
    :confirm (((at ?r ?to) by localisation)))

  (:action open :parameters (?r - robot ?d - part)
    :precondition (and
      (needs affordance (not (stuck ?d)))
      (needs missing (at ?r ?d))
      (needs missing (not (hand_full ?r)))
      (needs satisfied (not (open ?d))))
    :effect (and (open ?d) (not (ajar ?d)))
    :cost 4 :duration 30
    :confirm (((open ?d) by joint)))

  (:action close :parameters (?r - robot ?d - part)
    :precondition (and
      (needs affordance (not (stuck ?d)))
      (needs missing (at ?r ?d))
      (needs missing (not (hand_full ?r)))
      (needs satisfied (or (open ?d) (ajar ?d))))
    :effect (and (not (open ?d)) (not (ajar ?d)))
    :cost 4 :duration 30
    :confirm (((not (open ?d)) by joint)))

  (:action pick :parameters (?r - robot ?i - item)
    :precondition (and
      (needs affordance (movable ?i))
      (needs missing (at ?r ?i))
      (needs missing (not (hand_full ?r)))
      (needs missing (not (out_of_reach ?i))))
    :effect (and
      (held ?i ?r)
      (forall (?p - place) (and (not (on ?i ?p)) (not (in ?i ?p)) (not (near ?i ?p))))
      (forall (?j - item) (and (not (on ?j ?i)) (not (in ?j ?i)) (not (near ?j ?i)))))
    :cost 4 :duration 40
    :confirm (((held ?i ?r) by gripper)))

  (:action place_on :parameters (?r - robot ?i - item ?p - place)
    :precondition (and
      (needs affordance (not (unfit_on ?p)))
      (needs missing (held ?i ?r))
      (needs missing (at ?r ?p)))
    :effect (and (not (held ?i ?r)) (on ?i ?p))
    :cost 4 :duration 30
    :confirm (((on ?i ?p) by camera) ((not (held ?i ?r)) by gripper)))

  (:action place_in :parameters (?r - robot ?i - item ?p - place)
    :precondition (and
      (needs affordance (not (unfit_in ?p)))
      (needs missing (held ?i ?r))
      (needs missing (at ?r ?p))
      (needs missing (not (shut ?p))))
    :effect (and (not (held ?i ?r)) (in ?i ?p))
    :cost 4 :duration 30
    :confirm (((in ?i ?p) by camera) ((not (held ?i ?r)) by gripper)))

  (:action place_near :parameters (?r - robot ?i - item ?p - place)
    :precondition (and
      (needs affordance (not (unfit_near ?p)))
      (needs missing (held ?i ?r))
      (needs missing (at ?r ?p)))
    :effect (and (not (held ?i ?r)) (near ?i ?p))
    :cost 4 :duration 30
    :confirm (((near ?i ?p) by camera) ((not (held ?i ?r)) by gripper))))
