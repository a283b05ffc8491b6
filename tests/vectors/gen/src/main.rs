//! Vectors by the crates `fpe` and `aes-gcm`. Inputs come from a fixed sequence (splitmix64), so that a second run writes
//! the same files.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use fpe::ff1::{FlexibleNumeralString, FF1};

struct Sequence(u64);

impl Sequence {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e3779b97f4a7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d049bb133111eb);
        z ^ (z >> 31)
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}

/// Lower-case hex; "-" for nothing.
fn hex(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "-".into();
    }
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Four hex digits a numeral.
fn numerals(symbols: &[u16]) -> String {
    symbols.iter().map(|s| format!("{s:04x}")).collect()
}

fn encrypt(key: &[u8], radix: u32, tweak: &[u8], plain: &[u16]) -> Vec<u16> {
    let plain = FlexibleNumeralString::from(plain.to_vec());
    match key.len() {
        16 => FF1::<aes::Aes128>::new(key, radix).unwrap().encrypt(tweak, &plain),
        24 => FF1::<aes::Aes192>::new(key, radix).unwrap().encrypt(tweak, &plain),
        _ => FF1::<aes::Aes256>::new(key, radix).unwrap().encrypt(tweak, &plain),
    }
    .unwrap()
    .into()
}

/// Lengths from the least allowed: around a word's and a block's end, odd and even, v = 29, and long ones.
fn lengths(radix: u32) -> Vec<usize> {
    let mut least = 2;
    while (radix as f64).powi(least as i32) < 1e6 {
        least += 1;
    }
    let mut all: Vec<usize> = vec![least, least + 1, least + 2];
    all.extend([7, 12, 16, 17, 19, 24, 31, 35, 36, 37, 38, 57, 58, 63, 64, 65, 100, 129, 201].iter());
    all.retain(|n| *n >= least);
    all.sort();
    all.dedup();
    all
}

fn ff1() {
    let mut seq = Sequence(1);
    println!("# FF1 by the crate fpe 0.7: key, tweak (hex, - for none), radix, plaintext, ciphertext (4 hex digits a symbol)");
    for radix in [2u32, 3, 10, 16, 26, 36, 62, 94, 255, 256, 999, 1000, 4096, 32767, 32768, 65535, 65536] {
        for (i, n) in lengths(radix).into_iter().enumerate() {
            let key = seq.bytes([16, 24, 32][i % 3]);
            let len = (seq.next() % 65) as usize;
            let tweak = seq.bytes(len);
            let plain: Vec<u16> = (0..n)
                .map(|k| match i % 7 {
                    5 => 0,
                    6 => (radix - 1) as u16,
                    _ => ((seq.next() + k as u64) % radix as u64) as u16,
                })
                .collect();
            let cipher = encrypt(&key, radix, &tweak, &plain);
            println!("{} {} {} {} {}", hex(&key), hex(&tweak), radix, numerals(&plain), numerals(&cipher));
        }
    }
}

fn seal(key: &[u8], nonce: &[u8], aad: &[u8], msg: &[u8]) -> Vec<u8> {
    let nonce = aes_gcm::Nonce::from_slice(nonce);
    let payload = Payload { msg, aad };
    if key.len() == 16 {
        aes_gcm::Aes128Gcm::new_from_slice(key).unwrap().encrypt(nonce, payload).unwrap()
    } else {
        aes_gcm::Aes256Gcm::new_from_slice(key).unwrap().encrypt(nonce, payload).unwrap()
    }
}

fn gcm() {
    let mut seq = Sequence(2);
    println!("# AES-GCM by the crate aes-gcm 0.10: key, nonce, aad, plaintext, ciphertext and tag (hex, - for none)");
    for i in 0..116usize {
        let key = seq.bytes(if i % 2 == 0 { 32 } else { 16 });
        let nonce = seq.bytes(12);
        let (aad_len, len) = match i {
            0..=99 => (i * 7 % 67, i),
            _ => ((seq.next() % 300) as usize, (seq.next() % 700) as usize),
        };
        let (aad, msg) = (seq.bytes(aad_len), seq.bytes(len));
        println!("{} {} {} {} {}", hex(&key), hex(&nonce), hex(&aad), hex(&msg), hex(&seal(&key, &nonce, &aad, &msg)));
    }
}

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("ff1") => ff1(),
        Some("gcm") => gcm(),
        _ => {
            eprintln!("usage: gen-vectors ff1|gcm");
            std::process::exit(64);
        }
    }
}
