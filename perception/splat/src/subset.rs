//! Subsets of the Gaussians of a map.

use crate::{Error, Result};

/// Which Gaussians of a map are meant, by index. Valid until the map inserts or deletes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subset {
    mask: Vec<bool>,
}

impl Subset {
    /// None of `len` Gaussians.
    pub fn none(len: usize) -> Self {
        Subset {
            mask: vec![false; len],
        }
    }

    /// All of `len` Gaussians.
    pub fn all(len: usize) -> Self {
        Subset {
            mask: vec![true; len],
        }
    }

    /// From one flag per Gaussian.
    pub fn from_mask(mask: Vec<bool>) -> Self {
        Subset { mask }
    }

    /// From indices; those beyond `len` are ignored.
    pub fn from_indices(len: usize, indices: impl IntoIterator<Item = usize>) -> Self {
        let mut mask = vec![false; len];
        for i in indices {
            if let Some(m) = mask.get_mut(i) {
                *m = true;
            }
        }
        Subset { mask }
    }

    /// One flag per Gaussian.
    pub fn mask(&self) -> &[bool] {
        &self.mask
    }

    /// Number of Gaussians of the map it was made for.
    pub fn map_len(&self) -> usize {
        self.mask.len()
    }

    /// Whether the Gaussian at an index belongs to it.
    pub fn contains(&self, index: usize) -> bool {
        self.mask.get(index).copied().unwrap_or(false)
    }

    /// How many belong to it.
    pub fn count(&self) -> usize {
        self.mask.iter().filter(|&&m| m).count()
    }

    /// The indices that belong to it, ascending.
    pub fn indices(&self) -> impl Iterator<Item = usize> + '_ {
        self.mask.iter().enumerate().filter_map(|(i, &m)| m.then_some(i))
    }

    /// What belongs to both.
    pub fn and(&self, other: &Subset) -> Self {
        let pairs = self.mask.iter().zip(&other.mask);
        Subset {
            mask: pairs.map(|(a, b)| *a && *b).collect(),
        }
    }

    /// What belongs to either.
    pub fn or(&self, other: &Subset) -> Self {
        let pairs = self.mask.iter().zip(&other.mask);
        Subset {
            mask: pairs.map(|(a, b)| *a || *b).collect(),
        }
    }

    /// What does not belong to it.
    pub fn complement(&self) -> Self {
        Subset {
            mask: self.mask.iter().map(|m| !m).collect(),
        }
    }

    /// # Errors
    /// [`Error::SubsetSize`] where it was made for another number of Gaussians.
    pub(crate) fn check(&self, map_len: usize) -> Result<()> {
        if self.mask.len() != map_len {
            return Err(Error::SubsetSize {
                subset: self.mask.len(),
                map: map_len,
            });
        }
        Ok(())
    }
}
