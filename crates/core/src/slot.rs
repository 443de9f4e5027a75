//! An erased part that is still a burn module.
//!
//! [`Module`] has generic `visit` and `map`, so `Box<dyn Module>` does not exist. A [`Slot`] holds
//! a trait object instead, and passes visitors and mappers through it without their generics
//! ([`crate::erase`]). So paths, gradients, freezing, optimisers and records work through the slot.

use crate::erase::{DynMapper, DynVisitor, In, InMap, Out, OutMap};
use burn::module::{
    Content, Devices, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor,
};
use burn::tensor::Device;
use std::any::Any;
use std::fmt::Debug;

/// The methods of [`Module`] without generics, and the module as [`Any`]; [`Holder`] implements them
/// for every burn module.
#[expect(
    missing_docs,
    reason = "each method but the last is the one of `Module` with the same name"
)]
pub trait Erased: Debug + Send + 'static {
    fn visit_dyn(&self, visitor: &mut dyn DynVisitor);
    fn map_dyn(&mut self, mapper: &mut dyn DynMapper);
    fn fork_dyn(&mut self, device: &Device);
    fn to_device_dyn(&mut self, device: &Device);
    fn train_dyn(&mut self);
    fn valid_dyn(&mut self);
    fn materialize_dyn(&mut self);
    fn devices_dyn(&self, devices: Devices) -> Devices;
    fn as_any_dyn(&self) -> &dyn Any;
}

/// A module held by value, so that mapping consumes it: there is no second copy of its tensors.
#[derive(Clone, Debug)]
pub struct Holder<M>(Option<M>);

impl<M: Module + 'static> Holder<M> {
    /// Wraps `module`.
    pub fn new(module: M) -> Self {
        Self(Some(module))
    }
    /// Returns the module.
    pub fn get(&self) -> &M {
        self.0.as_ref().expect("a holder is empty only while its module is mapped")
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
    fn as_any_dyn(&self) -> &dyn Any {
        self.get()
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

impl<T: ?Sized + Erased> Slot<T> {
    /// Returns the module if it is an `M`.
    #[must_use]
    pub fn downcast_ref<M: 'static>(&self) -> Option<&M> {
        self.0.as_any_dyn().downcast_ref()
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
