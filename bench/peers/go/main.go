// NDJSON in, NDJSON out: Address by AES-256-GCM, and with "encrypt+fpe" credit_card by FF1. See ../README.md.
package main

import (
	"bufio"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"os"

	"github.com/capitalone/fpe/ff1"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func encrypt(gcm cipher.AEAD, text string) string {
	nonce := make([]byte, gcm.NonceSize())
	_, err := rand.Read(nonce)
	must(err)
	return base64.StdEncoding.EncodeToString(gcm.Seal(nonce, nonce, []byte(text), nil))
}

func protectCard(fpe ff1.Cipher, card string) string {
	digits := make([]byte, 0, len(card))
	for i := 0; i < len(card); i++ {
		if card[i] >= '0' && card[i] <= '9' {
			digits = append(digits, card[i])
		}
	}
	done, err := fpe.Encrypt(string(digits))
	must(err)
	out := []byte(card)
	next := 0
	for i := range out {
		if out[i] >= '0' && out[i] <= '9' {
			out[i] = done[next]
			next++
		}
	}
	return string(out)
}

func main() {
	withFpe, nested := os.Args[1] == "encrypt+fpe", os.Args[2] == "nested"
	key := make([]byte, 32)
	for i := range key {
		key[i] = byte(i)
	}
	block, err := aes.NewCipher(key)
	must(err)
	gcm, err := cipher.NewGCM(block)
	must(err)
	fpe, err := ff1.NewCipher(10, 8, key, make([]byte, 8))
	must(err)
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(make([]byte, 1<<16), 1<<24)
	out := bufio.NewWriterSize(os.Stdout, 1<<16)
	defer out.Flush()

	for in.Scan() {
		var record map[string]any
		must(json.Unmarshal(in.Bytes(), &record))
		fields := record
		if nested {
			fields = record["customer"].(map[string]any)
		}
		if text, ok := fields["Address"].(string); ok {
			fields["Address"] = encrypt(gcm, text)
		}
		if text, ok := fields["credit_card"].(string); ok && withFpe {
			fields["credit_card"] = protectCard(fpe, text)
		}
		line, err := json.Marshal(record)
		must(err)
		out.Write(line)
		out.WriteByte('\n')
	}
	must(in.Err())
}
