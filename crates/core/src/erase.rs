//! burn's visitor and mapper without generics, so that they pass through a trait object.
//!
//! [`ModuleVisitor`] and [`ModuleMapper`] have one generic method for each element type. Here the
//! rank of a parameter becomes a number on the way out of a part ([`Out`], [`OutMap`]), and a
//! `match` restores it on the way into the caller's visitor ([`In`], [`InMap`]). burn-core does the
//! same for its own reparameterisations (`module/param/reparameterization_dyn.rs`, MIT OR
//! Apache-2.0), and the idea comes from there.

use burn::module::{Flag, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Bool, Int, Tensor};
use std::any::Any;

/// The element type of an erased parameter.
#[derive(Clone, Copy, Debug)]
pub enum ParamKind {
    /// A `Param<Tensor<D>>`.
    Float,
    /// A `Param<Tensor<D, Int>>`.
    Int,
    /// A `Param<Tensor<D, Bool>>`.
    Bool,
}

/// A [`ModuleVisitor`] without generics.
pub trait DynVisitor {
    /// Visits a `Param<Tensor<rank, kind>>`.
    fn param(&mut self, kind: ParamKind, rank: usize, param: &dyn Any);
    /// Visits a training flag.
    fn flag(&mut self, flag: &Param<Flag>);
    /// Enters the field `name` of a `container`.
    fn enter(&mut self, name: &str, container: &str);
    /// Leaves the field.
    fn exit(&mut self, name: &str, container: &str);
}

/// A [`ModuleMapper`] without generics.
pub trait DynMapper {
    /// Maps a `Param<Tensor<rank, kind>>` to one of the same type.
    fn param(&mut self, kind: ParamKind, rank: usize, param: Box<dyn Any>) -> Box<dyn Any>;
    /// Maps a training flag.
    fn flag(&mut self, flag: Param<Flag>) -> Param<Flag>;
    /// Enters the field `name` of a `container`.
    fn enter(&mut self, name: &str, container: &str);
    /// Leaves the field.
    fn exit(&mut self, name: &str, container: &str);
}

/// Runs a block with the rank as a constant.
macro_rules! with_rank {
    ($rank:expr, $D:ident => $body:block) => {
        match $rank {
            1 => {
                const $D: usize = 1;
                $body
            }
            2 => {
                const $D: usize = 2;
                $body
            }
            3 => {
                const $D: usize = 3;
                $body
            }
            4 => {
                const $D: usize = 4;
                $body
            }
            5 => {
                const $D: usize = 5;
                $body
            }
            6 => {
                const $D: usize = 6;
                $body
            }
            rank => unreachable!("parameters have one to six dimensions, not {rank}"),
        }
    };
}

const SAME: &str = "an erased parameter keeps its type";

/// burn's visitor over an erased one: the way out of a part.
pub(crate) struct Out<'a>(pub(crate) &'a mut dyn DynVisitor);
impl ModuleVisitor for Out<'_> {
    fn visit_float<const D: usize>(&mut self, p: &Param<Tensor<D>>) {
        self.0.param(ParamKind::Float, D, p);
    }
    fn visit_int<const D: usize>(&mut self, p: &Param<Tensor<D, Int>>) {
        self.0.param(ParamKind::Int, D, p);
    }
    fn visit_bool<const D: usize>(&mut self, p: &Param<Tensor<D, Bool>>) {
        self.0.param(ParamKind::Bool, D, p);
    }
    fn visit_flag(&mut self, f: &Param<Flag>) {
        self.0.flag(f);
    }
    fn enter_module(&mut self, name: &str, container: &str) {
        self.0.enter(name, container);
    }
    fn exit_module(&mut self, name: &str, container: &str) {
        self.0.exit(name, container);
    }
}

/// An erased visitor over burn's: the way into the caller's visitor.
pub(crate) struct In<'a, V>(pub(crate) &'a mut V);
impl<V: ModuleVisitor> DynVisitor for In<'_, V> {
    fn param(&mut self, kind: ParamKind, rank: usize, p: &dyn Any) {
        with_rank!(rank, D => {
            match kind {
                ParamKind::Float => self.0.visit_float(p.downcast_ref::<Param<Tensor<D>>>().expect(SAME)),
                ParamKind::Int => self.0.visit_int(p.downcast_ref::<Param<Tensor<D, Int>>>().expect(SAME)),
                ParamKind::Bool => self.0.visit_bool(p.downcast_ref::<Param<Tensor<D, Bool>>>().expect(SAME)),
            }
        });
    }
    fn flag(&mut self, flag: &Param<Flag>) {
        self.0.visit_flag(flag);
    }
    fn enter(&mut self, name: &str, container: &str) {
        self.0.enter_module(name, container);
    }
    fn exit(&mut self, name: &str, container: &str) {
        self.0.exit_module(name, container);
    }
}

/// burn's mapper over an erased one.
pub(crate) struct OutMap<'a>(pub(crate) &'a mut dyn DynMapper);
impl ModuleMapper for OutMap<'_> {
    fn map_float<const D: usize>(&mut self, p: Param<Tensor<D>>) -> Param<Tensor<D>> {
        *self.0.param(ParamKind::Float, D, Box::new(p)).downcast().expect(SAME)
    }
    fn map_int<const D: usize>(&mut self, p: Param<Tensor<D, Int>>) -> Param<Tensor<D, Int>> {
        *self.0.param(ParamKind::Int, D, Box::new(p)).downcast().expect(SAME)
    }
    fn map_bool<const D: usize>(&mut self, p: Param<Tensor<D, Bool>>) -> Param<Tensor<D, Bool>> {
        *self.0.param(ParamKind::Bool, D, Box::new(p)).downcast().expect(SAME)
    }
    fn map_flag(&mut self, f: Param<Flag>) -> Param<Flag> {
        self.0.flag(f)
    }
    fn enter_module(&mut self, name: &str, container: &str) {
        self.0.enter(name, container);
    }
    fn exit_module(&mut self, name: &str, container: &str) {
        self.0.exit(name, container);
    }
}

/// An erased mapper over burn's.
pub(crate) struct InMap<'a, M>(pub(crate) &'a mut M);
impl<M: ModuleMapper> DynMapper for InMap<'_, M> {
    fn param(&mut self, kind: ParamKind, rank: usize, p: Box<dyn Any>) -> Box<dyn Any> {
        with_rank!(rank, D => {
            match kind {
                ParamKind::Float => Box::new(self.0.map_float(*p.downcast::<Param<Tensor<D>>>().expect(SAME))),
                ParamKind::Int => Box::new(self.0.map_int(*p.downcast::<Param<Tensor<D, Int>>>().expect(SAME))),
                ParamKind::Bool => Box::new(self.0.map_bool(*p.downcast::<Param<Tensor<D, Bool>>>().expect(SAME))),
            }
        })
    }
    fn flag(&mut self, flag: Param<Flag>) -> Param<Flag> {
        self.0.map_flag(flag)
    }
    fn enter(&mut self, name: &str, container: &str) {
        self.0.enter_module(name, container);
    }
    fn exit(&mut self, name: &str, container: &str) {
        self.0.exit_module(name, container);
    }
}
