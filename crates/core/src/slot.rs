//! An erased part that is still a burn module.
//!
//! [`Module`] has generic `visit` and `map`, so `Box<dyn Module>` does not exist. Here the rank of
//! each parameter is erased on the way out of the part and restored by a `match` on the way into
//! the visitor, so that paths, gradients, freezing, optimisers and records work through the slot.
//! burn-core does the same for its own reparameterisations
//! (`module/param/reparameterization_dyn.rs`, MIT OR Apache-2.0), which is where the idea comes
//! from.

use burn::module::{
    Content, Devices, Flag, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper,
    ModuleVisitor, Param,
};
use burn::tensor::{Bool, Device, Int, Tensor};
use std::any::Any;
use std::fmt::Debug;

/// The element kind of an erased parameter.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// `Param<Tensor<D>>`.
    Float,
    /// `Param<Tensor<D, Int>>`.
    Int,
    /// `Param<Tensor<D, Bool>>`.
    Bool,
}

/// A [`ModuleVisitor`] without generics.
pub trait DynVisitor {
    /// A `Param<Tensor<rank, kind>>`.
    fn param(&mut self, kind: Kind, rank: usize, param: &dyn Any);
    /// A training flag.
    fn flag(&mut self, flag: &Param<Flag>);
    /// Into the field `name` of a `container`.
    fn enter(&mut self, name: &str, container: &str);
    /// Out of it.
    fn exit(&mut self, name: &str, container: &str);
}

/// A [`ModuleMapper`] without generics.
pub trait DynMapper {
    /// A `Param<Tensor<rank, kind>>` in, one of the same type out.
    fn param(&mut self, kind: Kind, rank: usize, param: Box<dyn Any>) -> Box<dyn Any>;
    /// A training flag.
    fn flag(&mut self, flag: Param<Flag>) -> Param<Flag>;
    /// Into the field `name` of a `container`.
    fn enter(&mut self, name: &str, container: &str);
    /// Out of it.
    fn exit(&mut self, name: &str, container: &str);
}

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

struct Out<'a>(&'a mut dyn DynVisitor);
impl ModuleVisitor for Out<'_> {
    fn visit_float<const D: usize>(&mut self, p: &Param<Tensor<D>>) {
        self.0.param(Kind::Float, D, p);
    }
    fn visit_int<const D: usize>(&mut self, p: &Param<Tensor<D, Int>>) {
        self.0.param(Kind::Int, D, p);
    }
    fn visit_bool<const D: usize>(&mut self, p: &Param<Tensor<D, Bool>>) {
        self.0.param(Kind::Bool, D, p);
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

struct In<'a, V>(&'a mut V);
impl<V: ModuleVisitor> DynVisitor for In<'_, V> {
    fn param(&mut self, kind: Kind, rank: usize, p: &dyn Any) {
        with_rank!(rank, D => {
            match kind {
                Kind::Float => self.0.visit_float(p.downcast_ref::<Param<Tensor<D>>>().expect(SAME)),
                Kind::Int => self.0.visit_int(p.downcast_ref::<Param<Tensor<D, Int>>>().expect(SAME)),
                Kind::Bool => self.0.visit_bool(p.downcast_ref::<Param<Tensor<D, Bool>>>().expect(SAME)),
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

struct OutMap<'a>(&'a mut dyn DynMapper);
impl ModuleMapper for OutMap<'_> {
    fn map_float<const D: usize>(&mut self, p: Param<Tensor<D>>) -> Param<Tensor<D>> {
        *self.0.param(Kind::Float, D, Box::new(p)).downcast().expect(SAME)
    }
    fn map_int<const D: usize>(&mut self, p: Param<Tensor<D, Int>>) -> Param<Tensor<D, Int>> {
        *self.0.param(Kind::Int, D, Box::new(p)).downcast().expect(SAME)
    }
    fn map_bool<const D: usize>(&mut self, p: Param<Tensor<D, Bool>>) -> Param<Tensor<D, Bool>> {
        *self.0.param(Kind::Bool, D, Box::new(p)).downcast().expect(SAME)
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

struct InMap<'a, M>(&'a mut M);
impl<M: ModuleMapper> DynMapper for InMap<'_, M> {
    fn param(&mut self, kind: Kind, rank: usize, p: Box<dyn Any>) -> Box<dyn Any> {
        with_rank!(rank, D => {
            match kind {
                Kind::Float => Box::new(self.0.map_float(*p.downcast::<Param<Tensor<D>>>().expect(SAME))),
                Kind::Int => Box::new(self.0.map_int(*p.downcast::<Param<Tensor<D, Int>>>().expect(SAME))),
                Kind::Bool => Box::new(self.0.map_bool(*p.downcast::<Param<Tensor<D, Bool>>>().expect(SAME))),
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

/// What a slot needs of the module it holds; implemented by [`Holder`] for every burn module.
#[expect(missing_docs, reason = "each method is the one of `Module` with the same name")]
pub trait Erased: Debug + Send + 'static {
    fn visit_dyn(&self, visitor: &mut dyn DynVisitor);
    fn map_dyn(&mut self, mapper: &mut dyn DynMapper);
    fn fork_dyn(&mut self, device: &Device);
    fn to_device_dyn(&mut self, device: &Device);
    fn train_dyn(&mut self);
    fn valid_dyn(&mut self);
    fn materialize_dyn(&mut self);
    fn devices_dyn(&self, devices: Devices) -> Devices;
}

/// Holds a module by value so that mapping consumes it: no second copy of its tensors.
#[derive(Clone, Debug)]
pub struct Holder<M>(Option<M>);

impl<M: Module + 'static> Holder<M> {
    /// Wraps `module`.
    pub fn new(module: M) -> Self {
        Self(Some(module))
    }
    /// The module.
    pub fn get(&self) -> &M {
        self.0.as_ref().expect("a cell is empty only while it is mapped")
    }
    fn with(&mut self, f: impl FnOnce(M) -> M) {
        self.0 = self.0.take().map(f);
    }
}

impl<M: Module + 'static> Erased for Holder<M> {
    fn visit_dyn(&self, visitor: &mut dyn DynVisitor) {
        self.get().visit(&mut Out(visitor));
    }
    fn map_dyn(&mut self, mapper: &mut dyn DynMapper) {
        self.with(|m| m.map(&mut OutMap(mapper)));
    }
    fn fork_dyn(&mut self, device: &Device) {
        self.with(|m| m.fork(device));
    }
    fn to_device_dyn(&mut self, device: &Device) {
        self.with(|m| m.to_device(device));
    }
    fn train_dyn(&mut self) {
        self.with(Module::train);
    }
    fn valid_dyn(&mut self) {
        self.with(|m| m.valid());
    }
    fn materialize_dyn(&mut self) {
        self.with(Module::materialize);
    }
    fn devices_dyn(&self, devices: Devices) -> Devices {
        self.get().collect_devices(devices)
    }
}

/// A field of a model that holds any implementation of the trait object `T`.
#[derive(Debug)]
pub struct Slot<T: ?Sized>(Box<T>);

impl<T: ?Sized> Slot<T> {
    /// Wraps an erased part.
    pub fn from_box(part: Box<T>) -> Self {
        Self(part)
    }
}

impl<T: ?Sized> std::ops::Deref for Slot<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: ?Sized> Clone for Slot<T>
where
    Box<T>: Clone,
{
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: ?Sized + Erased> Module for Slot<T>
where
    Box<T>: Clone,
{
    fn collect_devices(&self, devices: Devices) -> Devices {
        self.0.devices_dyn(devices)
    }
    fn fork(mut self, device: &Device) -> Self {
        self.0.fork_dyn(device);
        self
    }
    fn to_device(mut self, device: &Device) -> Self {
        self.0.to_device_dyn(device);
        self
    }
    fn train(mut self) -> Self {
        self.0.train_dyn();
        self
    }
    fn valid(&self) -> Self {
        let mut copy = self.clone();
        copy.0.valid_dyn();
        copy
    }
    fn materialize(mut self) -> Self {
        self.0.materialize_dyn();
        self
    }
    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        self.0.visit_dyn(&mut In(visitor));
    }
    fn map<M: ModuleMapper>(mut self, mapper: &mut M) -> Self {
        self.0.map_dyn(&mut InMap(mapper));
        self
    }
}

impl<T: ?Sized + Erased> ModuleDisplayDefault for Slot<T>
where
    Box<T>: Clone,
{
    fn content(&self, content: Content) -> Option<Content> {
        Some(content)
    }
}

impl<T: ?Sized + Erased> ModuleDisplay for Slot<T> where Box<T>: Clone {}
