//! The scan with the vectors of x86-64. Only the chunk operations differ between levels; the
//! algorithm is in the parent module and is compiled once for each level.

use std::arch::x86_64::{
    __m256i, __m512i, _mm_clmulepi64_si128, _mm_cvtsi128_si64, _mm_set_epi64x, _mm_set1_epi8,
    _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_set1_epi8,
    _mm512_add_epi32, _mm512_castsi512_si128, _mm512_cmpeq_epi8_mask, _mm512_cvtepu8_epi32,
    _mm512_extracti32x4_epi32, _mm512_loadu_si512, _mm512_maskz_compress_epi8, _mm512_set1_epi8,
    _mm512_set1_epi32, _mm512_storeu_si512,
};

use super::{CHUNK, ChunkOps, CsvIndex, Masks, scalar, scan_with};

/// The scan with AVX2, PCLMULQDQ and BMI.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt,pclmulqdq")]
pub(super) fn scan_avx2(text: &[u8], from: usize, to: usize, delimiter: u8, index: &mut CsvIndex) {
    // SAFETY: this function has the instructions that the token stands for.
    scan_with(unsafe { Avx2::new() }, text, from, to, delimiter, index);
}

/// The scan with AVX-512 BW and VBMI2.
#[target_feature(
    enable = "avx2,bmi1,bmi2,lzcnt,popcnt,pclmulqdq,avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi2"
)]
pub(super) fn scan_avx512(
    text: &[u8],
    from: usize,
    to: usize,
    delimiter: u8,
    index: &mut CsvIndex,
) {
    // SAFETY: this function has the instructions that the token stands for.
    scan_with(unsafe { Avx512::new() }, text, from, to, delimiter, index);
}

/// Proof that AVX2, BMI and PCLMULQDQ are there.
#[derive(Clone, Copy)]
struct Avx2(());

impl Avx2 {
    /// # Safety
    /// The processor has the instructions of `Level::Avx2`.
    #[inline(always)]
    unsafe fn new() -> Self {
        Self(())
    }

    #[inline(always)]
    fn equal(self, [low, high]: [__m256i; 2], byte: u8) -> u64 {
        // SAFETY: the token proves AVX2.
        let (low, high) = unsafe {
            let pattern = _mm256_set1_epi8(byte as i8);
            (
                _mm256_movemask_epi8(_mm256_cmpeq_epi8(low, pattern)),
                _mm256_movemask_epi8(_mm256_cmpeq_epi8(high, pattern)),
            )
        };
        u64::from(low as u32) | u64::from(high as u32) << 32
    }

    #[inline(always)]
    fn load(self, chunk: &[u8; CHUNK]) -> [__m256i; 2] {
        let address = chunk.as_ptr().cast::<__m256i>();
        // SAFETY: the token proves AVX2; the chunk has 64 bytes, and the load asks for no
        // alignment.
        unsafe { [_mm256_loadu_si256(address), _mm256_loadu_si256(address.add(1))] }
    }
}

impl ChunkOps for Avx2 {
    #[inline(always)]
    fn masks(self, chunk: &[u8; CHUNK], delimiter: u8) -> Masks {
        let bytes = self.load(chunk);
        Masks {
            delimiters: self.equal(bytes, delimiter),
            line_feeds: self.equal(bytes, b'\n'),
            quotes: self.equal(bytes, b'"'),
        }
    }

    #[inline(always)]
    fn carriage_returns(self, chunk: &[u8; CHUNK]) -> u64 {
        self.equal(self.load(chunk), b'\r')
    }

    #[inline(always)]
    fn prefix_xor(self, bits: u64) -> u64 {
        // SAFETY: the token proves PCLMULQDQ.
        unsafe { carryless_prefix_xor(bits) }
    }

    #[inline(always)]
    fn positions(self, bits: u64, base: u32, out: &mut [u32; CHUNK]) {
        scalar::positions(bits, base, out);
    }
}

/// Proof that AVX-512 F, BW, VBMI2 and PCLMULQDQ are there.
#[derive(Clone, Copy)]
struct Avx512(());

impl Avx512 {
    /// # Safety
    /// The processor has the instructions of `Level::Avx512`.
    #[inline(always)]
    unsafe fn new() -> Self {
        Self(())
    }

    #[inline(always)]
    fn equal(self, bytes: __m512i, byte: u8) -> u64 {
        // SAFETY: the token proves AVX-512 BW.
        unsafe { _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(byte as i8)) }
    }

    #[inline(always)]
    fn load(self, chunk: &[u8; CHUNK]) -> __m512i {
        // SAFETY: the token proves AVX-512 F; the chunk has 64 bytes, no alignment is asked for.
        unsafe { _mm512_loadu_si512(chunk.as_ptr().cast()) }
    }
}

/// The numbers 0 to 63: compressed by a mask, they are the positions of its set bits.
static POSITIONS: [u8; CHUNK] = {
    let mut positions = [0; CHUNK];
    let mut i = 0;
    while i < CHUNK {
        positions[i] = i as u8;
        i += 1;
    }
    positions
};

impl ChunkOps for Avx512 {
    #[inline(always)]
    fn masks(self, chunk: &[u8; CHUNK], delimiter: u8) -> Masks {
        let bytes = self.load(chunk);
        Masks {
            delimiters: self.equal(bytes, delimiter),
            line_feeds: self.equal(bytes, b'\n'),
            quotes: self.equal(bytes, b'"'),
        }
    }

    #[inline(always)]
    fn carriage_returns(self, chunk: &[u8; CHUNK]) -> u64 {
        self.equal(self.load(chunk), b'\r')
    }

    #[inline(always)]
    fn prefix_xor(self, bits: u64) -> u64 {
        // SAFETY: the token proves PCLMULQDQ.
        unsafe { carryless_prefix_xor(bits) }
    }

    #[inline(always)]
    fn positions(self, bits: u64, base: u32, out: &mut [u32; CHUNK]) {
        let address = out.as_mut_ptr();
        // SAFETY: the token proves AVX-512 F and VBMI2; `out` has room for the four groups of
        // sixteen that are stored at most.
        unsafe {
            let base = _mm512_set1_epi32(base as i32);
            let packed = _mm512_maskz_compress_epi8(bits, self.load(&POSITIONS));
            let first = _mm512_cvtepu8_epi32(_mm512_castsi512_si128(packed));
            _mm512_storeu_si512(address.cast(), _mm512_add_epi32(first, base));
            let count = bits.count_ones();
            if count > 16 {
                let second = _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32::<1>(packed));
                _mm512_storeu_si512(address.add(16).cast(), _mm512_add_epi32(second, base));
            }
            if count > 32 {
                let third = _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32::<2>(packed));
                _mm512_storeu_si512(address.add(32).cast(), _mm512_add_epi32(third, base));
                let fourth = _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32::<3>(packed));
                _mm512_storeu_si512(address.add(48).cast(), _mm512_add_epi32(fourth, base));
            }
        }
    }
}

/// The running xor of all bits: a carry-less product with all ones.
///
/// # Safety
/// The processor has PCLMULQDQ.
#[inline(always)]
unsafe fn carryless_prefix_xor(bits: u64) -> u64 {
    // SAFETY: the caller has PCLMULQDQ; SSE2 belongs to x86-64.
    unsafe {
        let product = _mm_clmulepi64_si128::<0>(_mm_set_epi64x(0, bits as i64), _mm_set1_epi8(-1));
        _mm_cvtsi128_si64(product) as u64
    }
}
