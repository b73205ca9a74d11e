//! Pages whose code is tested as that of the README is.

#[doc = include_str!("../docs/from-eventcore.md")]
struct FromEventCore;
