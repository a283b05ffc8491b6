//! NDJSON in, NDJSON out: Address by AES-256-GCM, and with "encrypt+fpe" credit_card by FF1. See ../README.md.
use std::io::{self, BufRead, BufWriter, Write};

use aes::Aes256;
use base64::{engine::general_purpose::STANDARD, Engine};
use fpe::ff1::{FlexibleNumeralString, FF1};
use ring::aead::{Aad, LessSafeKey, Nonce, UnboundKey, AES_256_GCM, NONCE_LEN};
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::Value;

fn encrypt(key: &LessSafeKey, random: &SystemRandom, text: &str) -> String {
    let mut nonce = [0u8; NONCE_LEN];
    random.fill(&mut nonce).unwrap();
    let mut out = nonce.to_vec();
    let mut sealed = text.as_bytes().to_vec();
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut sealed).unwrap();
    out.extend_from_slice(&sealed);
    STANDARD.encode(out)
}

fn fpe(ff1: &FF1<Aes256>, card: &str) -> String {
    let digits: Vec<u16> = card.bytes().filter(u8::is_ascii_digit).map(|b| u16::from(b - b'0')).collect();
    let done: Vec<u16> = ff1.encrypt(&[0; 8], &FlexibleNumeralString::from(digits)).unwrap().into();
    let mut digits = done.into_iter();
    card.chars().map(|c| if c.is_ascii_digit() { (b'0' + digits.next().unwrap() as u8) as char } else { c }).collect()
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let with_fpe = arguments[1] == "encrypt+fpe";
    let nested = arguments[2] == "nested";
    let bytes: Vec<u8> = (0..32).collect();
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &bytes).unwrap());
    let ff1 = FF1::<Aes256>::new(&bytes, 10).unwrap();
    let random = SystemRandom::new();
    let mut input = io::stdin().lock();
    let mut output = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let mut line = Vec::new();

    while input.read_until(b'\n', &mut line).unwrap() > 0 {
        let mut record: Value = serde_json::from_slice(&line).unwrap();
        let fields = if nested { &mut record["customer"] } else { &mut record };
        if let Some(text) = fields["Address"].as_str() {
            fields["Address"] = Value::String(encrypt(&key, &random, text));
        }
        if with_fpe {
            if let Some(text) = fields["credit_card"].as_str() {
                fields["credit_card"] = Value::String(fpe(&ff1, text));
            }
        }
        serde_json::to_writer(&mut output, &record).unwrap();
        output.write_all(b"\n").unwrap();
        line.clear();
    }
    output.flush().unwrap();
}
