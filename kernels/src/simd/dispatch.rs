//! One loop, compiled for each level.

/// Defines a function whose body is compiled for the baseline, AVX2 and AVX-512. The body must be
/// a plain loop over slices that the compiler vectorises, and one whose bits do not depend on how
/// wide it does so: no float sum over rows, no fused multiply-add.
///
/// Which of them runs is decided as for every other kernel: by the level that stands before the
/// semicolon as an argument of the function, or else by [`level`](crate::simd::level).
///
/// ```text
/// multiversion! { pub fn negate(a: &mut [f64]) { … } }          negate(&mut a)
/// multiversion! { pub fn negate(level; a: &mut [f64]) { … } }   negate(level, &mut a)
/// ```
macro_rules! multiversion {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($level:ident; $($arg:ident: $type:ty),* $(,)?)
        $body:block
    ) => {
        $(#[$meta])*
        $vis fn $name($level: $crate::simd::Level, $($arg: $type),*) {
            #[inline(always)]
            fn plain($($arg: $type),*) $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
            fn avx2($($arg: $type),*) {
                plain($($arg),*);
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(
                enable = "avx2,bmi1,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512dq,avx512vl"
            )]
            fn avx512($($arg: $type),*) {
                plain($($arg),*);
            }

            match $level {
                #[cfg(target_arch = "x86_64")]
                $crate::simd::Level::Avx512 if $level.is_available() => {
                    // SAFETY: the processor has the level's instructions, as was just asked.
                    unsafe { avx512($($arg),*) }
                }
                #[cfg(target_arch = "x86_64")]
                $crate::simd::Level::Avx2 if $level.is_available() => {
                    // SAFETY: as above.
                    unsafe { avx2($($arg),*) }
                }
                _ => plain($($arg),*),
            }
        }
    };
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $type:ty),* $(,)?) $body:block) => {
        $(#[$meta])*
        $vis fn $name($($arg: $type),*) {
            $crate::simd::dispatch::multiversion! {
                fn at_level(level; $($arg: $type),*) $body
            }
            at_level($crate::simd::level(), $($arg),*);
        }
    };
}

pub(crate) use multiversion;
