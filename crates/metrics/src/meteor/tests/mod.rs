//! Tests of METEOR's parts.
