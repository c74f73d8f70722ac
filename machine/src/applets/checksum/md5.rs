//! MD5. There is no crate of it in the tree, and it is a page.

const SHIFTS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];

/// A sum that is being made.
pub(super) struct Md5 {
    state: [u32; 4],
    rest: Vec<u8>,
    length: u64,
}

impl Default for Md5 {
    fn default() -> Self {
        Self { state: [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476], rest: Vec::new(), length: 0 }
    }
}

impl Md5 {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.length = self.length.wrapping_add(bytes.len() as u64);
        self.rest.extend_from_slice(bytes);
        let whole = self.rest.len() / 64 * 64;
        let rest = self.rest.split_off(whole);
        let blocks = std::mem::replace(&mut self.rest, rest);
        blocks.chunks_exact(64).for_each(|block| self.block(block));
    }

    pub(super) fn finish(mut self) -> [u8; 16] {
        let length = self.length.wrapping_mul(8);
        let zeros = (119 - self.rest.len() % 64) % 64;
        self.add(&[&[0x80][..], &vec![0; zeros], &length.to_le_bytes()].concat());
        let mut sum = [0; 16];
        sum.chunks_exact_mut(4).zip(self.state).for_each(|(bytes, word)| bytes.copy_from_slice(&word.to_le_bytes()));
        sum
    }

    fn block(&mut self, block: &[u8]) {
        let words: Vec<u32> = block.chunks_exact(4).map(|bytes| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])).collect();
        let [mut a, mut b, mut c, mut d] = self.state;
        for step in 0..64_usize {
            let (mix, word) = match step / 16 {
                0 => (b & c | !b & d, step),
                1 => (d & b | !d & c, (5 * step + 1) % 16),
                2 => (b ^ c ^ d, (3 * step + 5) % 16),
                _ => (c ^ (b | !d), 7 * step % 16),
            };
            // The constants are the sines of whole numbers.
            let constant = (((step + 1) as f64).sin().abs() * 4_294_967_296.0) as u32;
            let turned = a.wrapping_add(mix).wrapping_add(constant).wrapping_add(words[word]).rotate_left(SHIFTS[step / 16][step % 4]);
            (a, d, c, b) = (d, c, b, b.wrapping_add(turned));
        }
        for (state, word) in self.state.iter_mut().zip([a, b, c, d]) {
            *state = state.wrapping_add(word);
        }
    }
}
