package upstream

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"gatehouse/exchange"
)

func TestGRPCTimeout(t *testing.T) {
	for in, want := range map[string]string{
		"1H": "1h0m0s", "2M": "2m0s", "3S": "3s", "4m": "4ms", "5u": "5µs", "6n": "6ns", "99999999S": "27777h46m39s", "0S": "0s",
		"": "none", "S": "none", "5": "none", "5s": "none", "-5S": "none", "+5S": "none", "5 S": "none", "123456789S": "none", "99999999H": "none", "1.5S": "none",
	} {
		d, ok := grpcTimeout(in)
		got := d.String()
		if !ok {
			got = "none"
		}
		if got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
	for d, want := range map[time.Duration]string{0: "0n", -time.Second: "0n", 99999999: "99999999n", 100000000: "100000u", 30 * time.Second: "30000000u", 200 * time.Second: "200000m", 90 * time.Hour * 24: "7776000S"} {
		if got := string(appendTimeout(nil, d)); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

// FuzzGRPCTimeout: what is read is told again, never as more than was left.
func FuzzGRPCTimeout(f *testing.F) {
	for _, seed := range []string{"1H", "99999999S", "10m", "x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, ok := grpcTimeout(s)
		if !ok {
			return
		}
		told := string(appendTimeout(nil, d))
		again, ok := grpcTimeout(told)
		if !ok || again > d || len(told) > 9 || d-again > d/1e6 {
			t.Fatalf("%q is %v, told as %q, which is %v", s, d, told, again)
		}
	})
}

func message(n int) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(n)), make([]byte, n)...)
}

func TestMessages(t *testing.T) {
	stream := append(append(message(0), message(100)...), message(99)...)
	for _, piece := range []int{1, 2, 3, 4, 5, 6, 7, 50, len(stream)} {
		for most, want := range map[int64]bool{0: false, 100: false, 99: true} {
			m, over := messages{most: most}, false
			for at := 0; at < len(stream); at += piece {
				over = over || m.over(stream[at:min(at+piece, len(stream))])
			}
			if over != want || !over && !m.between() {
				t.Errorf("most %d, pieces of %d: %v, %+v", most, piece, over, m)
			}
		}
	}
}

// FuzzMessages: however a body is cut, its messages end at the same places.
func FuzzMessages(f *testing.F) {
	f.Add(append(message(3), message(300)...), uint8(4), int64(200))
	f.Fuzz(func(t *testing.T, stream []byte, piece uint8, most int64) {
		whole, cut := messages{most: most}, messages{most: most}
		a, b := whole.over(stream), false
		for at := 0; at < len(stream) && !b; at += int(piece) + 1 {
			b = cut.over(stream[at:min(at+int(piece)+1, len(stream))])
		}
		if a != b || !a && (whole.left != cut.left || whole.have != cut.have) {
			t.Fatalf("%v %+v, cut %v %+v", a, whole, b, cut)
		}
	})
}

// Resets keep their meaning, and deadlines are deadlines.
func TestGRPCCodes(t *testing.T) {
	for code, want := range map[uint32]int{0: 13, 1: 13, 2: 13, 7: 14, 8: 1, 11: 8, 12: 7, 99: 13} {
		if got := resetCode(code); got != want {
			t.Errorf("%s: %d, want %d", resetName(code), got, want)
		}
	}
	for _, f := range []*failure{{status: 502}, {status: 503}} {
		if got := f.grpcCode(); got != grpcUnavailable {
			t.Errorf("%d: %d", f.status, got)
		}
	}
	if fmt.Sprint(exchange.GRPCMessage("50%")) != "50%25" {
		t.Error("the message is not encoded")
	}
}
