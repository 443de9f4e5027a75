//! Values of planned parameters, read from the file one parameter at a time.

use super::{Plan, Reader};
use crate::vision::position::resize_grid;
use crate::weights::WeightsError;
use burn::module::Module;
use toolkit_core::params::{self, Content, Info, Kept, Values};
use toolkit_core::published::{Piece, Recipe};
use toolkit_formats::Dtype;
use toolkit_kernels::{BlockFormat, BlockMatrix};

impl Reader {
    /// Reads the planned parameters into `module`, one tensor at a time, with matrices `kept` in
    /// this form. `seen` is called with every parameter before it is read.
    ///
    /// # Errors
    /// If the file is damaged.
    pub fn load<M: Module>(
        &self,
        module: M,
        plan: &Plan,
        kept: Kept,
        mut seen: impl FnMut(&Info),
    ) -> Result<M, WeightsError> {
        let mut failed = None;
        let module = params::map_as(module, |info| {
            let recipe = plan.recipes.get(&info.name).filter(|_| failed.is_none())?;
            seen(info);
            let content = self.content(recipe, info, plan, kept);
            content.map_err(|error| failed = Some(error)).ok()
        });
        failed.map_or(Ok(module), Err)
    }

    fn content(
        &self,
        recipe: &Recipe,
        info: &Info,
        plan: &Plan,
        kept: Kept,
    ) -> Result<Content, WeightsError> {
        let values = || self.values(recipe, info, plan);
        if kept != Kept::Stored {
            return Ok(Content::Matrix(values()?, kept));
        }
        let [Piece::Whole(name)] = &recipe.0[..] else { return Ok(values()?.into()) };
        let dtype = self.tensors.info(name).map(|stored| stored.dtype);
        if let (Some(format), &[outputs, inputs]) = (dtype.and_then(format), &info.shape[..]) {
            let bytes = self.tensors.read_bytes(name)?.map(<[u8]>::to_vec);
            let blocks = bytes.and_then(|bytes| BlockMatrix::new(format, [outputs, inputs], bytes));
            if let Some(blocks) = blocks {
                return Ok(Content::Blocks(blocks));
            }
        }
        let in_blocks = dtype.is_some_and(|dtype| dtype.block().0 > 1);
        let kept = if in_blocks { Kept::Q8 } else { Kept::F32 };
        Ok(Content::Matrix(values()?, kept))
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

/// Returns the format of blocks that are multiplied as they lie in a file.
fn format(dtype: Dtype) -> Option<BlockFormat> {
    match dtype {
        Dtype::Q8_0 => Some(BlockFormat::Q8_0),
        Dtype::Q4_0 => Some(BlockFormat::Q4_0),
        Dtype::Q4_1 => Some(BlockFormat::Q4_1),
        Dtype::Q4_K => Some(BlockFormat::Q4_K),
        _ => None,
    }
}
