//! One loop, compiled for several SIMD levels.

/// Defines a function whose body is compiled for the baseline, AVX2 and AVX-512, and which runs
/// the best that the machine has. The body must be a plain loop over slices that the compiler
/// vectorises; asking the processor costs a load a call.
macro_rules! multiversion {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $type:ty),* $(,)?) $body:block) => {
        $(#[$meta])*
        $vis fn $name($($arg: $type),*) {
            #[inline(always)]
            fn plain($($arg: $type),*) $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw")]
                fn avx512($($arg: $type),*) {
                    plain($($arg),*);
                }

                #[target_feature(enable = "avx2")]
                fn avx2($($arg: $type),*) {
                    plain($($arg),*);
                }

                if is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512bw")
                {
                    // SAFETY: the processor has the features that the function is compiled for.
                    return unsafe { avx512($($arg),*) };
                }
                if is_x86_feature_detected!("avx2") {
                    // SAFETY: the processor has the feature that the function is compiled for.
                    return unsafe { avx2($($arg),*) };
                }
            }
            plain($($arg),*);
        }
    };
}

pub(crate) use multiversion;
