package exchange

import (
	"encoding/hex"
	"testing"
)

func TestUnhex(t *testing.T) {
	for i := range 1 << 16 {
		pair := []byte{byte(i >> 8), byte(i)}
		var want [1]byte
		_, err := hex.Decode(want[:], pair)
		if got, ok := Unhex(pair[0], pair[1]); ok != (err == nil) || ok && got != want[0] {
			t.Fatalf("%q: %x %v", pair, got, ok)
		}
	}
}
