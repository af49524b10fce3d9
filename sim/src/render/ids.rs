//! What a pixel of the id image means.

use crate::model::EntityId;

const ROBOT: u32 = 1 << 31;
const LABEL_SHIFT: u32 = 22;
const LABEL_MASK: u32 = (1 << (31 - LABEL_SHIFT)) - 1;
const ENTITY_MASK: u32 = (1 << LABEL_SHIFT) - 1;

/// Who is seen in a pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PixelId {
    /// Nothing.
    None,
    /// An entity.
    Entity(EntityId),
    /// A visual of an entity that has a label of its own, an instance beside the entity.
    Labelled {
        /// The entity.
        entity: EntityId,
        /// Index into its visuals.
        visual: u32,
    },
    /// A link of the robot.
    Robot {
        /// Index of the link.
        link: u32,
    },
}

impl PixelId {
    /// The number written into the id image. Entities from 2^22 - 1 on and labelled visuals from 511 on have
    /// no number of their own and count as nothing and as their entity.
    pub fn encode(self) -> u32 {
        let entity = |e: EntityId| if e.0 < ENTITY_MASK { e.0 + 1 } else { 0 };
        match self {
            PixelId::None => 0,
            PixelId::Entity(e) => entity(e),
            PixelId::Labelled { entity: e, visual } => {
                let label = if visual < LABEL_MASK { visual + 1 } else { 0 };
                match entity(e) {
                    0 => 0,
                    number => label << LABEL_SHIFT | number,
                }
            }
            PixelId::Robot { link } => ROBOT | link & !ROBOT,
        }
    }

    /// What a number of the id image means.
    pub fn decode(number: u32) -> Self {
        if number & ROBOT != 0 {
            return PixelId::Robot {
                link: number & !ROBOT,
            };
        }
        let (label, entity) = (number >> LABEL_SHIFT, number & ENTITY_MASK);
        match (label, entity) {
            (_, 0) => PixelId::None,
            (0, e) => PixelId::Entity(EntityId(e - 1)),
            (l, e) => PixelId::Labelled {
                entity: EntityId(e - 1),
                visual: l - 1,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_meanings_correspond() {
        for id in [
            PixelId::None,
            PixelId::Entity(EntityId(0)),
            PixelId::Entity(EntityId(123_456)),
            PixelId::Labelled {
                entity: EntityId(7),
                visual: 0,
            },
            PixelId::Labelled {
                entity: EntityId(7),
                visual: 31,
            },
            PixelId::Robot { link: 0 },
            PixelId::Robot { link: 12 },
        ] {
            assert_eq!(PixelId::decode(id.encode()), id);
        }
        assert_eq!(PixelId::Entity(EntityId(u32::MAX)).encode(), 0);
    }
}
