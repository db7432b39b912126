package tunnel

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
)

// frame is a frame as RFC 6455 section 5.2 draws it.
func frame(opcode byte, payload string, masked bool) []byte {
	b := []byte{0x80 | opcode, 0}
	switch n := len(payload); {
	case n < 126:
		b[1] = byte(n)
	case n < 1<<16:
		b[1] = 126
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	default:
		b[1] = 127
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	if masked {
		b[1] |= 0x80
		b = append(b, 1, 2, 3, 4)
	}
	return append(b, payload...)
}

// ends returns after which bytes of p a frame had ended.
func ends(f *frames, p []byte, piece int) (out []int) {
	at := 0
	for at < len(p) {
		n := f.step(p[at:min(at+piece, len(p))])
		at += n
		if f.between() {
			out = append(out, at)
		}
	}
	return out
}

func TestFrameEnds(t *testing.T) {
	for _, masked := range []bool{false, true} {
		var stream []byte
		var want []int
		for _, size := range []int{0, 1, 125, 126, 127, 65535, 65536, 70000} {
			stream = append(stream, frame(1, strings.Repeat("x", size), masked)...)
			want = append(want, len(stream))
		}
		for _, piece := range []int{1, 2, 3, 7, 13, 4096, len(stream)} {
			var f frames
			got := ends(&f, stream, piece)
			if len(got) != len(want) {
				t.Fatalf("pieces of %d: %v, want %v", piece, got, want)
			}
			for i := range got {
				if got[i] != want[i] {
					t.Fatalf("pieces of %d: %v, want %v", piece, got, want)
				}
			}
			if f.closed || f.lost {
				t.Errorf("%+v", f)
			}
			if ends(&f, frame(opClose, "\x03\xe8bye", masked), piece); !f.closed {
				t.Error("a Close frame was not seen")
			}
		}
	}
}

func TestFrameThatIsNone(t *testing.T) {
	var f frames
	f.step([]byte{0x82, 127, 0xff, 0, 0, 0, 0, 0, 0, 0})
	if !f.lost || f.between() || f.step(make([]byte, 100)) != 100 || f.between() {
		t.Errorf("%+v", f)
	}
}

func TestCloseFrame(t *testing.T) {
	if got, want := closeFrame(goingAway, "bye", false), "\x88\x05\x03\xe9bye"; string(got) != want {
		t.Errorf("%q", got)
	}
	got := closeFrame(violation, "no", true)
	key, payload := got[2:6], bytes.Clone(got[6:])
	for i := range payload {
		payload[i] ^= key[i%4]
	}
	if got[0] != 0x88 || got[1] != 0x84 || string(payload) != "\x03\xf0no" {
		t.Errorf("% x", got)
	}
	for _, masked := range []bool{false, true} {
		var f frames
		if p := closeFrame(goingAway, texts(Age), masked); f.step(p) == 0 || f.step(p[f.size():]) == 0 || !f.between() || !f.closed {
			t.Errorf("%+v", f)
		}
	}
}

// FuzzFrames: however a stream is cut, its frames end at the same places, and
// no byte is lost or counted twice.
func FuzzFrames(f *testing.F) {
	f.Add(frame(1, "hello", true), uint8(3))
	f.Add(append(frame(2, strings.Repeat("x", 200), false), frame(opClose, "\x03\xe8", false)...), uint8(1))
	f.Add([]byte{0x82, 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2}, uint8(5))
	f.Fuzz(func(t *testing.T, stream []byte, piece uint8) {
		var whole, cut frames
		a := ends(&whole, stream, len(stream)+1)
		b := ends(&cut, stream, int(piece)+1)
		if whole != cut {
			t.Fatalf("%+v, cut %+v", whole, cut)
		}
		// A piece that ends within a frame shows no end that the whole has not.
		if len(a) != len(b) {
			t.Fatalf("ends at %v, cut at %v", a, b)
		}
		for i := range a {
			if a[i] != b[i] {
				t.Fatalf("ends at %v, cut at %v", a, b)
			}
		}
	})
}
