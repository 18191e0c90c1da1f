// The hash of keys, fixed forever: see `kernels/src/shard_hash`.

#import wide

const SEED: vec2<u32> = vec2<u32>(0x38d01377u, 0x452821e6u);
const FACTOR: vec2<u32> = vec2<u32>(0x34e90c6du, 0xbe5466cfu);
const NULL_WORD: vec2<u32> = vec2<u32>(0x03707344u, 0x13198a2eu);

fn fold(hash: vec2<u32>, word: vec2<u32>) -> vec2<u32> {
    return multiply_folded(hash ^ word, FACTOR);
}
