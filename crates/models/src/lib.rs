//! The model families: vision encoders, bridges and language models.
//!
//! A family is one file, or one folder. It has a configuration (the keys of a card), the sizes and
//! costs that follow from it, the module, and the names that its weights are published under.
//! Fields of modules are named as in the checkpoints, which decides their names in our files.
//!
//! | module | purpose |
//! |---|---|
//! | [`vision`] | encoders: CLIP's ViT, EVA, DINOv2, EfficientNet |
//! | [`bridge`] | the Q-Former, and what it is compared with: linear layer, MLP, resampler |
//! | [`connector`] | a bridge with the projection into the language model |
//! | [`language`] | OPT, Llama, T5 |
//! | [`layers`] | layers that families share |
//! | [`weights`] | weight files: reading, fitting to a part, writing |
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use toolkit_core::{AnyBridge, Bridge, VisionEncoder, params};
//! use toolkit_models::bridge::{MlpBridge, MlpConfig};
//! use toolkit_models::connector::Connector;
//! use toolkit_models::layers::Activation;
//! use toolkit_models::vision::vit::{Vit, VitConfig};
//!
//! let device = Device::flex();
//! let config = VitConfig {
//!     image_size: 16,
//!     patch_size: 8,
//!     hidden_size: 8,
//!     num_hidden_layers: 1,
//!     num_attention_heads: 2,
//!     intermediate_size: 16,
//!     hidden_act: Activation::QuickGelu,
//!     layer_norm_eps: 1e-5,
//!     patch_bias: false,
//!     pre_norm: true,
//! };
//! let shape = Vit::describe(&config)?; // makes no tensor
//! assert_eq!((shape.tokens, shape.width), (5, 8)); // four patches and the class token
//!
//! let vit = params::initialise(Vit::build(&config, &device), 1, params::bert_rule);
//! let features = vit.encode(Tensor::zeros([2, 3, 16, 16], &device)); // [batch, tokens, width]
//!
//! let config = MlpConfig {
//!     width: 12,
//!     hidden: None,
//!     drop_class_token: true,
//!     pool: 1,
//!     vision_layer_norm_eps: 1e-5,
//! };
//! let bridge = AnyBridge::new(MlpBridge::build(&config, &shape, &device));
//! let connector = Connector::new(bridge, 12, 32, &device);
//! assert_eq!(connector.prefix(features).dims(), [2, 4, 32]); // the soft prefix
//! # Ok::<(), toolkit_core::ShapeError>(())
//! ```
//!
//! To add a family, implement the trait of [`toolkit_core`] in one file here, and register it in
//! `toolkit-registry`. Outside crates do the same without touching this one.

pub mod bridge;
pub mod connector;
pub mod language;
pub mod layers;
pub mod vision;
pub mod weights;
