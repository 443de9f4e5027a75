//! Values of planned parameters, read from the file one parameter at a time.

use super::{Plan, Reader};
use crate::vision::position::resize_grid;
use crate::weights::WeightsError;
use burn::module::Module;
use burn::tensor::DType;
use toolkit_core::params::{self, Info, Values};
use toolkit_core::published::{Piece, Recipe};

impl Reader {
    /// Reads the planned parameters into `module`, one tensor at a time, and keeps matrices as
    /// `dtype`. `seen` is called with every parameter before it is read.
    ///
    /// # Errors
    /// If the file is damaged.
    pub fn load<M: Module>(
        &self,
        module: M,
        plan: &Plan,
        dtype: DType,
        mut seen: impl FnMut(&Info),
    ) -> Result<M, WeightsError> {
        let mut failed = None;
        let module = params::map_as(module, dtype, |info| {
            let recipe = plan.recipes.get(&info.name).filter(|_| failed.is_none())?;
            seen(info);
            let values = self.values(recipe, info, plan);
            values.map_err(|error| failed = Some(error)).ok()
        });
        failed.map_or(Ok(module), Err)
    }

    /// Reads the values of one parameter; `None` if it is not planned.
    ///
    /// # Errors
    /// If the file is damaged.
    pub fn value(&self, plan: &Plan, info: &Info) -> Result<Option<Values>, WeightsError> {
        plan.recipes.get(&info.name).map(|recipe| self.values(recipe, info, plan)).transpose()
    }

    fn values(&self, recipe: &Recipe, info: &Info, plan: &Plan) -> Result<Values, WeightsError> {
        let mut data = Vec::new();
        for piece in &recipe.0 {
            match piece {
                Piece::Whole(name) if recipe.0.len() == 1 => data = self.tensors.read(name)?,
                Piece::Whole(name) => data.extend(self.tensors.read(name)?),
                Piece::Third(name, part) => {
                    let all = self.tensors.read(name)?;
                    let third = all.len() / 3;
                    data.extend_from_slice(&all[part * third..(part + 1) * third]);
                }
                Piece::Zeros => {
                    data.resize(data.len() + info.shape.iter().product::<usize>() / 3, 0.0)
                }
            }
        }
        if let (Some(&side), Some(corners)) = (plan.resized.get(&info.name), plan.corners) {
            let width = info.shape.last().copied().unwrap_or(1);
            let wanted = info.shape.iter().product::<usize>() / width - 1;
            let grid = resize_grid(&data[width..], width, side, wanted.isqrt(), corners);
            data.truncate(width);
            data.extend(grid);
        }
        Ok(Values { shape: info.shape.clone(), data })
    }
}
