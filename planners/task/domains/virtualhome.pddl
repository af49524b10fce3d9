; The household of VirtualHome's evolving graph simulator, as the benchmark of the Embodied Agent Interface uses it
; (PyPI `virtualhome_eval` 0.1.1): what its actions need, in the order in which it checks, what they change, and what
; kind of refusal it gives. Read from its behaviour, peculiarities included: doors do not stop anybody, what is
; carried is filed under the room that was left, grabbing a thing strips it of what lies on it.
;
; Types and extensions to PDDL: see `domain::read`. `is_CLASS` holds of the nodes of a class, `named_WORD` of those with
; the word in their class name.
(define (domain virtualhome-evolving-graph)
  (:types character room thing - object)
  (:predicates
    ; states
    (closed ?x) (open ?x) (turned_on ?x) (turned_off ?x) (sitting ?x) (lying ?x) (dirty ?x) (clean ?x)
    (plugged_in ?x) (plugged_out ?x)
    ; properties
    (surfaces ?x) (grabbable ?x) (sittable ?x) (lieable ?x) (hangable ?x) (drinkable ?x) (eatable ?x)
    (recipient ?x) (cuttable ?x) (pourable ?x) (can_open ?x) (has_switch ?x) (readable ?x) (lookable ?x)
    (containers ?x) (clothes ?x) (person ?x) (body_part ?x) (cover_object ?x) (has_plug ?x) (has_paper ?x)
    (movable ?x) (cream ?x)
    ; classes that actions treat in their own way
    (is_loveseat ?x) (is_pianobench ?x) (is_bench ?x) (is_couch ?x) (is_bed ?x) (is_sofa ?x) (is_bathtub ?x)
    (is_water ?x) (is_child ?x) (is_desk ?x) (is_window ?x) (is_computer ?x) (is_hands_both ?x)
    (is_sponge ?x) (is_face ?x) (is_keyboard ?x) (is_button ?x) (is_chair ?x) (is_curtain ?x)
    (is_cleaning_solution ?x) (is_tooth_paste ?x) (is_shampoo ?x) (is_food_peanut_butter ?x)
    (is_dish_soap ?x) (is_soap ?x) (is_towel ?x) (is_rag ?x) (is_paper ?x) (is_food_lemon ?x) (is_check ?x)
    (named_knife ?x)
    ; relations
    (on ?x ?y) (inside ?x ?y) (close_to ?x ?y) (facing ?x ?y) (between ?x ?y)
    (holds_rh ?c ?x) (holds_lh ?c ?x)
    ; grabbed there and not yet put anywhere
    (came_on ?x ?y) (came_inside ?x ?y) (came_close ?x ?y))

  (:derived (holding ?c ?x) (or (holds_rh ?c ?x) (holds_lh ?c ?x)))
  (:derived (taken ?x) (exists (?y) (or (came_on ?x ?y) (came_inside ?x ?y) (came_close ?x ?y))))
  (:derived (both_hands_full ?c) (and (exists (?h) (holds_rh ?c ?h)) (exists (?h) (holds_lh ?c ?h))))
  ; In reach is what is close, close to something close, or on something close.
  (:derived (near ?c ?x) (or (close_to ?c ?x) (exists (?y) (and (close_to ?c ?y) (or (close_to ?y ?x) (on ?x ?y))))))
  (:derived (faces ?c ?x) (or (facing ?c ?x) (exists (?y) (and (facing ?c ?y) (facing ?y ?x)))))
  (:derived (shut_in ?x) (exists (?y) (and (inside ?x ?y) (closed ?y) (not (is ?y room)))))
  ; The room is stated for most things; else it is that of what they are inside.
  (:derived (in_room ?x ?r) (or
    (and (= ?x ?r) (is ?x room))
    (and (inside ?x ?r) (is ?r room))
    (and (not (exists (?q - room) (inside ?x ?q))) (exists (?y) (and (inside ?x ?y) (in_room ?y ?r))))))

  (:action walk :parameters (?c - character ?x)
    :precondition (and
      (needs missing (and (not (sitting ?c)) (not (lying ?c))))
      (needs other (exists (?r - room) (in_room ?x ?r))))
    :effect (and
      (forall (?y) (and
        (not (inside ?c ?y)) (not (inside ?y ?c))
        (not (close_to ?c ?y)) (not (close_to ?y ?c))
        (not (facing ?c ?y)) (not (facing ?y ?c))))
      (first (?r - room) (in_room ?x ?r) (inside ?c ?r))
      (when (not (is ?x room)) (and (close_to ?c ?x) (close_to ?x ?c)))
      (forall (?y) (when (and (inside ?x ?y) (not (is ?y room))) (and (close_to ?c ?y) (close_to ?y ?c))))
      (forall (?y) (when (and (body_part ?y) (not (is ?x room))) (and (close_to ?c ?y) (close_to ?y ?c))))
      (forall (?y) (when (and (inside ?y ?x) (can_open ?x)) (and (close_to ?c ?y) (close_to ?y ?c))))
      (forall (?y) (when (on ?x ?y) (and (close_to ?c ?y) (close_to ?y ?c))))
      ; What is held comes along; it is filed under the room that is being left.
      (forall (?h) (when (or (holds_rh ?c ?h) (holds_lh ?c ?h)) (and
        (close_to ?c ?h) (close_to ?h ?c)
        (first (?r - room) (in_room ?c ?r) (inside ?h ?r))
        (forall (?y) (and
          (not (inside ?h ?y)) (not (inside ?y ?h))
          (not (close_to ?h ?y)) (not (close_to ?y ?h))
          (not (facing ?h ?y)) (not (facing ?y ?h)))))))))

  (:action run :like walk)

  ; Walks only to what is out of reach.
  (:action find :parameters (?c - character ?x)
    :precondition (and
      (needs missing (imply (or (on ?x ?c) (body_part ?x)) (near ?c ?x)) (close_to ?c ?x))
      (needs missing (or (near ?c ?x) (and (not (sitting ?c)) (not (lying ?c)))) (and (not (sitting ?c)) (not (lying ?c))))
      (needs other (or (near ?c ?x) (exists (?r - room) (in_room ?x ?r)))))
    :effect (and
      (when (near ?c ?x) (and (close_to ?c ?x) (close_to ?x ?c) (forall (?y) (not (facing ?c ?y)))))
      (when (not (near ?c ?x)) (and
      (forall (?y) (and
        (not (inside ?c ?y)) (not (inside ?y ?c))
        (not (close_to ?c ?y)) (not (close_to ?y ?c))
        (not (facing ?c ?y)) (not (facing ?y ?c))))
      (first (?r - room) (in_room ?x ?r) (inside ?c ?r))
      (when (not (is ?x room)) (and (close_to ?c ?x) (close_to ?x ?c)))
      (forall (?y) (when (and (inside ?x ?y) (not (is ?y room))) (and (close_to ?c ?y) (close_to ?y ?c))))
      (forall (?y) (when (and (body_part ?y) (not (is ?x room))) (and (close_to ?c ?y) (close_to ?y ?c))))
      (forall (?y) (when (and (inside ?y ?x) (can_open ?x)) (and (close_to ?c ?y) (close_to ?y ?c))))
      (forall (?y) (when (on ?x ?y) (and (close_to ?c ?y) (close_to ?y ?c))))
      ; What is held comes along; it is filed under the room that is being left.
      (forall (?h) (when (or (holds_rh ?c ?h) (holds_lh ?c ?h)) (and
        (close_to ?c ?h) (close_to ?h ?c)
        (first (?r - room) (in_room ?c ?r) (inside ?h ?r))
        (forall (?y) (and
          (not (inside ?h ?y)) (not (inside ?y ?h))
          (not (close_to ?h ?y)) (not (close_to ?y ?h))
          (not (facing ?h ?y)) (not (facing ?y ?h)))))))))))

  (:action sit :parameters (?c - character ?x)
    :precondition (and
      (needs missing (near ?c ?x) (close_to ?c ?x))
      (needs satisfied (not (sitting ?c)))
      (needs affordance (sittable ?x))
      (needs missing (or
        (not (exists (?y) (on ?y ?x)))
        (and (or (is_loveseat ?x) (is_pianobench ?x) (is_bench ?x)) (not (at-least 2 (?y) (on ?y ?x))))
        (and (or (is_couch ?x) (is_bed ?x) (is_sofa ?x)) (not (at-least 4 (?y) (on ?y ?x)))))))
    :effect (and
      (on ?c ?x)
      (forall (?y) (when (facing ?x ?y) (facing ?c ?y)))
      (not (lying ?c))
      (sitting ?c)))

  (:action lie :parameters (?c - character ?x)
    :precondition (and
      (needs missing (near ?c ?x) (close_to ?c ?x))
      (needs satisfied (not (lying ?c)))
      (needs affordance (lieable ?x))
      (needs missing (or
        (not (exists (?y) (on ?y ?x)))
        (and (or (is_couch ?x) (is_bathtub ?x) (is_loveseat ?x) (is_sofa ?x)) (not (at-least 2 (?y) (on ?y ?x))))
        (and (is_bed ?x) (not (at-least 3 (?y) (on ?y ?x)))))))
    :effect (and
      (on ?c ?x)
      (not (sitting ?c))
      (lying ?c)))

  ; One stays on what one sat on.
  (:action standup :parameters (?c - character)
    :precondition (and
      (needs satisfied (or (sitting ?c) (lying ?c))))
    :effect (and (not (sitting ?c)) (not (lying ?c))))

  (:action sleep :parameters (?c - character)
    :precondition (and
      (needs missing (or (lying ?c) (sitting ?c)) (lying ?c)))
    :effect ())

  (:action wakeup :like sleep)

  (:action grab :parameters (?c - character ?x)
    :precondition (and
      (needs affordance (or (grabbable ?x) (is_water ?x) (is_child ?x)))
      (needs satisfied (not (taken ?x)))
      (needs missing (near ?c ?x) (close_to ?c ?x))
      (needs missing (not (shut_in ?x)) (open ?x))
      (needs missing (not (both_hands_full ?c)) (not (exists (?h) (holding ?c ?h)))))
    :effect (and
      (forall (?y) (and
        (not (on ?x ?y)) (not (on ?y ?x))
        (not (inside ?x ?y)) (not (inside ?y ?x))
        (not (close_to ?x ?y)) (not (close_to ?y ?x))
        (not (holds_rh ?x ?y)) (not (holds_rh ?y ?x))
        (not (holds_lh ?x ?y)) (not (holds_lh ?y ?x))))
      (close_to ?c ?x) (close_to ?x ?c)
      (when (not (exists (?h) (holds_rh ?c ?h))) (holds_rh ?c ?x))
      (when (exists (?h) (holds_rh ?c ?h)) (holds_lh ?c ?x))
      (first (?r - room) (in_room ?c ?r) (inside ?x ?r))
      ; Where it was stays in reach.
      (first (?y) (and (on ?x ?y) (not (is ?y room))) (and (close_to ?c ?y) (close_to ?y ?c) (came_on ?x ?y)))
      (when (not (exists (?z) (and (on ?x ?z) (not (is ?z room)))))
        (first (?y) (and (inside ?x ?y) (not (is ?y room))) (and (close_to ?c ?y) (close_to ?y ?c) (came_inside ?x ?y))))
      (when (not (exists (?z) (and (or (on ?x ?z) (inside ?x ?z)) (not (is ?z room)))))
        (forall (?y) (when (and (close_to ?x ?y) (not (is ?y room))) (and (close_to ?c ?y) (close_to ?y ?c) (came_close ?x ?y)))))))

  (:action drop :parameters (?c - character ?x)
    :precondition (and
      (needs missing (holding ?c ?x)))
    :effect (and
      (not (holds_rh ?c ?x))
      (not (holds_lh ?c ?x))
      (first (?r - room) (in_room ?c ?r) (inside ?x ?r))
      (forall (?w) (and (not (came_on ?x ?w)) (not (came_inside ?x ?w)) (not (came_close ?x ?w))))))

  (:action release :like drop)

  (:action putback :parameters (?c - character ?x ?y)
    :precondition (and
      (needs missing (holding ?c ?x))
      (needs missing (near ?c ?y) (close_to ?c ?y)))
    :effect (and
      (not (holds_rh ?c ?x))
      (not (holds_lh ?c ?x))
      (close_to ?c ?y) (close_to ?y ?c)
      (close_to ?x ?y) (close_to ?y ?x)
      (on ?x ?y)
      (forall (?w) (and (not (came_on ?x ?w)) (not (came_inside ?x ?w)) (not (came_close ?x ?w))))))

  (:action putin :parameters (?c - character ?x ?y)
    :precondition (and
      (needs missing (holding ?c ?x))
      (needs missing (near ?c ?y) (close_to ?c ?y))
      (needs affordance (or (not (can_open ?y)) (open ?y))))
    :effect (and
      (not (holds_rh ?c ?x))
      (not (holds_lh ?c ?x))
      (close_to ?c ?y) (close_to ?y ?c)
      (close_to ?x ?y) (close_to ?y ?x)
      (inside ?x ?y)
      (forall (?w) (and (not (came_on ?x ?w)) (not (came_inside ?x ?w)) (not (came_close ?x ?w))))))

  ; Back to where it was grabbed.
  (:action putobjback :parameters (?c - character ?x)
    :precondition (and
      (needs other (taken ?x))
      (needs missing (holding ?c ?x))
      (needs missing (exists (?y) (and (or (came_on ?x ?y) (came_inside ?x ?y) (came_close ?x ?y)) (near ?c ?y))))
      (needs affordance (not (exists (?y) (and (came_inside ?x ?y) (can_open ?y) (not (open ?y)))))))
    :effect (and
      (not (holds_rh ?c ?x))
      (not (holds_lh ?c ?x))
      (forall (?y) (when (or (came_on ?x ?y) (came_inside ?x ?y) (came_close ?x ?y))
        (and (close_to ?c ?y) (close_to ?y ?c) (close_to ?x ?y) (close_to ?y ?x))))
      (forall (?y) (when (came_on ?x ?y) (on ?x ?y)))
      (forall (?y) (when (came_inside ?x ?y) (inside ?x ?y)))
      (forall (?w) (and (not (came_on ?x ?w)) (not (came_inside ?x ?w)) (not (came_close ?x ?w))))))

  (:action open :parameters (?c - character ?x)
    :precondition (and
      (needs affordance (or (can_open ?x) (is_desk ?x) (is_window ?x)))
      (needs missing (near ?c ?x) (close_to ?c ?x))
      (needs missing (not (both_hands_full ?c)) (not (exists (?h) (holding ?c ?h))))
      (needs satisfied (closed ?x))
      (needs satisfied (not (turned_on ?x))))
    :effect (and (not (closed ?x)) (open ?x)))

  (:action close :parameters (?c - character ?x)
    :precondition (and
      (needs affordance (or (can_open ?x) (is_desk ?x) (is_window ?x)))
      (needs missing (near ?c ?x) (close_to ?c ?x))
      (needs satisfied (open ?x)))
    :effect (and (not (open ?x)) (closed ?x)))

  (:action switchon :parameters (?c - character ?x)
    :precondition (and
      (needs affordance (has_switch ?x))
      (needs missing (near ?c ?x) (close_to ?c ?x))
      (needs satisfied (turned_off ?x))
      (needs satisfied (not (plugged_out ?x))))
    :effect (and (not (turned_off ?x)) (turned_on ?x)))

  (:action switchoff :parameters (?c - character ?x)
    :precondition (and
      (needs affordance (has_switch ?x))
      (needs missing (near ?c ?x) (close_to ?c ?x))
      (needs satisfied (turned_on ?x)))
    :effect (and (not (turned_on ?x)) (turned_off ?x)))

  (:action plugin :parameters (?c - character ?x)
    :precondition (and
      (needs affordance (has_plug ?x))
      (needs missing (near ?c ?x) (close_to ?c ?x))
      (needs missing (not (both_hands_full ?c)) (not (exists (?h) (holding ?c ?h))))
      (needs satisfied (plugged_out ?x)))
    :effect (and (not (plugged_out ?x)) (plugged_in ?x)))

  (:action plugout :parameters (?c - character ?x)
    :precondition (and
      (needs affordance (has_plug ?x))
      (needs missing (near ?c ?x) (close_to ?c ?x))
      (needs missing (not (both_hands_full ?c)) (not (exists (?h) (holding ?c ?h))))
      (needs satisfied (plugged_in ?x)))
    :effect (and (not (plugged_in ?x)) (plugged_out ?x)))

  (:action turnto :parameters (?c - character ?x)
    :precondition ()
    :effect (and (forall (?y) (not (facing ?c ?y))) (facing ?c ?x)))

  (:action lookat :parameters (?c - character ?x)
    :precondition (and
      (needs missing (faces ?c ?x) (facing ?c ?x)))
    :effect ())

  (:action lookat_medium :like lookat)
  (:action pointat :like lookat)

  (:action watch :parameters (?c - character ?x)
    :precondition (and
      (needs affordance (lookable ?x))
      (needs affordance (exists (?r - room) (and (in_room ?c ?r) (in_room ?x ?r))))
      (needs missing (faces ?c ?x) (facing ?c ?x))
      (needs missing (or (is_computer ?x) (facing ?c ?x) (not (or (sitting ?c) (lying ?c)))) (facing ?c ?x))
      (needs missing (not (shut_in ?x)) (open ?x)))
    :effect ())

  (:action wipe :parameters (?c - character ?x)
    :precondition (and
      (needs missing (near ?c ?x) (close_to ?c ?x))
      (needs missing (exists (?h) (holding ?c ?h))))
    :effect (and (not (dirty ?x)) (clean ?x)))

  (:action wash :parameters (?c - character ?x)
    :precondition (and
      (needs missing (near ?c ?x) (close_to ?c ?x)))
    :effect (and (not (dirty ?x)) (clean ?x)))

  (:action rinse :like wash)
  (:action scrub :like wash)

  (:action puton :parameters (?c - character ?x)
    :precondition (and
      (needs missing (holding ?c ?x))
      (needs affordance (clothes ?x)))
    :effect (and (on ?x ?c) (not (holds_rh ?c ?x)) (not (holds_lh ?c ?x))))

  (:action putoff :parameters (?c - character ?x)
    :precondition (and
      (needs missing (on ?x ?c))
      (needs affordance (clothes ?x)))
    :effect (not (on ?x ?c)))

  (:action drink :parameters (?c - character ?x)
    :precondition (and
      (needs affordance (or (drinkable ?x) (recipient ?x)))
      (needs missing (holding ?c ?x)))
    :effect ())

  (:action eat :parameters (?c - character ?x)
    :precondition (and
      (needs missing (near ?c ?x) (close_to ?c ?x))
      (needs affordance (or (eatable ?x) (exists (?y) (and (on ?y ?x) (eatable ?y))))))
    :effect ())

  (:action cut :parameters (?c - character ?x)
    :precondition (and
      (needs missing (not (both_hands_full ?c)) (not (exists (?h) (holding ?c ?h))))
      (needs missing (near ?c ?x) (close_to ?c ?x))
      (needs affordance (eatable ?x))
      (needs affordance (cuttable ?x))
      (needs missing (exists (?h) (and (holding ?c ?h) (named_knife ?h)))))
    :effect ())

  (:action pour :parameters (?c - character ?x ?y)
    :precondition (and
      (needs affordance (or (pourable ?x) (drinkable ?x)))
      (needs affordance (or (recipient ?y) (is_hands_both ?y) (is_sponge ?y) (is_face ?y)))
      (needs missing (holding ?c ?x))
      (needs missing (near ?c ?y) (close_to ?c ?y)))
    :effect (and (inside ?x ?y) (when (is_water ?x) (and (not (holds_rh ?c ?x)) (not (holds_lh ?c ?x))))))

  (:action read :parameters (?c - character ?x)
    :precondition (and
      (needs affordance (readable ?x))
      (needs missing (holding ?c ?x)))
    :effect ())

  (:action touch :parameters (?c - character ?x)
    :precondition (and
      (needs missing (near ?c ?x) (close_to ?c ?x))
      (needs missing (not (shut_in ?x)) (open ?x)))
    :effect ())

  (:action type :parameters (?c - character ?x)
    :precondition (and
      (needs missing (near ?c ?x) (close_to ?c ?x))
      (needs affordance (or (is_keyboard ?x) (has_switch ?x))))
    :effect ())

  (:action push :parameters (?c - character ?x)
    :precondition (and
      (needs missing (near ?c ?x) (close_to ?c ?x))
      (needs missing (not (shut_in ?x)) (open ?x))
      (needs missing (not (both_hands_full ?c)) (not (exists (?h) (holding ?c ?h)))))
    :effect ())

  (:action move :parameters (?c - character ?x)
    :precondition (and
      (needs affordance (or (movable ?x) (is_button ?x) (is_chair ?x) (is_curtain ?x)))
      (needs missing (near ?c ?x) (close_to ?c ?x))
      (needs missing (not (shut_in ?x)) (open ?x))
      (needs missing (not (both_hands_full ?c)) (not (exists (?h) (holding ?c ?h)))))
    :effect ())

  (:action pull :like move)

  (:action squeeze :parameters (?c - character ?x)
    :precondition (and
      (needs missing (not (both_hands_full ?c)) (not (exists (?h) (holding ?c ?h))))
      (needs missing (near ?c ?x) (close_to ?c ?x))
      (needs affordance (or (clothes ?x)
        (is_cleaning_solution ?x) (is_tooth_paste ?x) (is_shampoo ?x) (is_food_peanut_butter ?x) (is_dish_soap ?x) (is_soap ?x)
        (is_towel ?x) (is_rag ?x) (is_paper ?x) (is_sponge ?x) (is_food_lemon ?x) (is_check ?x))))
    :effect ())

  (:action greet :parameters (?c - character ?x)
    :precondition (and
      (needs affordance (person ?x)))
    :effect ())
)
