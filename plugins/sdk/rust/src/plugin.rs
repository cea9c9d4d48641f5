//! The one trait, and the one macro that makes a component of what implements it.

use crate::{Batch, Context, IntoOutcome, Record};

/// A plugin with settings or scratch memory.
///
/// ```
/// use hydrant_plugin::{Context, Outcome, Plugin, Record};
///
/// struct Cut {
///     at: usize,
/// }
///
/// impl Plugin for Cut {
///     type Answer = Outcome;
///
///     fn configure(context: &Context) -> Result<Self, String> {
///         let at = context.setting("at").unwrap_or("80");
///         Ok(Self { at: at.parse().map_err(|error| format!("at: {error}"))? })
///     }
///
///     fn transform(&mut self, mut record: Record<'_>) -> Outcome {
///         match record.data().get(..self.at) {
///             Some(start) => record.replace(start),
///             None => Outcome::Keep,
///         }
///     }
/// }
///
/// hydrant_plugin::plugin!(type Cut);
/// ```
pub trait Plugin: Sized {
    /// What [`Self::transform`] returns: an [`crate::Outcome`] or a `Result` of one.
    type Answer: IntoOutcome;

    /// Made once per instance. An error keeps the previous version of the plugin running.
    ///
    /// # Errors
    /// What is wrong with the settings, for the operator.
    fn configure(context: &Context) -> Result<Self, String>;

    /// Settles one record.
    fn transform(&mut self, record: Record<'_>) -> Self::Answer;

    /// Settles a batch; record by record unless overridden.
    fn transform_batch(&mut self, batch: &mut Batch<'_>) {
        batch.each(|record| self.transform(record));
    }
}

/// Makes the crate a plugin: `plugin!(function)` of one record, `plugin!(batch function)`, or `plugin!(type T)` where
/// `T` implements [`Plugin`]. Once per crate; expands to nothing on a native target.
#[macro_export]
macro_rules! plugin {
    (type $plugin:ty) => {
        #[cfg(target_arch = "wasm32")]
        $crate::__component!($plugin);
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn() = || {
            fn is_plugin<P: $crate::Plugin>() {}
            is_plugin::<$plugin>();
        };
    };
    (batch $transform:path) => {
        struct __HydrantBatchFunction;
        impl $crate::Plugin for __HydrantBatchFunction {
            type Answer = $crate::Outcome;
            fn configure(_context: &$crate::Context) -> ::core::result::Result<Self, ::std::string::String> {
                ::core::result::Result::Ok(Self)
            }
            fn transform(&mut self, _record: $crate::Record<'_>) -> $crate::Outcome {
                $crate::Outcome::Keep
            }
            fn transform_batch(&mut self, batch: &mut $crate::Batch<'_>) {
                $transform(batch)
            }
        }
        $crate::plugin!(type __HydrantBatchFunction);
    };
    ($transform:path) => {
        struct __HydrantFunction;
        impl $crate::Plugin for __HydrantFunction {
            type Answer = $crate::Outcome;
            fn configure(_context: &$crate::Context) -> ::core::result::Result<Self, ::std::string::String> {
                ::core::result::Result::Ok(Self)
            }
            fn transform(&mut self, record: $crate::Record<'_>) -> $crate::Outcome {
                $crate::IntoOutcome::into_outcome($transform(record))
            }
        }
        $crate::plugin!(type __HydrantFunction);
    };
}
