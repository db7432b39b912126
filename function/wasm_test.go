package function

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// leb appends an unsigned number as WebAssembly has it.
func leb(b []byte, n int) []byte {
	for ; n >= 0x80; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n))
}

func section(id byte, body []byte) []byte { return append(leb([]byte{id}, len(body)), body...) }

func word(s string) []byte { return append(leb(nil, len(s)), s...) }

// wasmModule assembles a command that imports fd_read (0), fd_write (1) and
// proc_exit (2), has one page of memory, and whose _start has this code.
func wasmModule(code ...byte) []byte {
	const i32 = 0x7f
	types := []byte{3, 0x60, 4, i32, i32, i32, i32, 1, i32, 0x60, 1, i32, 0, 0x60, 0, 0}
	imports := []byte{3}
	for i, name := range []string{"fd_read", "fd_write", "proc_exit"} {
		imports = append(imports, word("wasi_snapshot_preview1")...)
		imports = append(imports, word(name)...)
		imports = append(imports, 0, byte(i/2))
	}
	exports := append([]byte{2}, word("memory")...)
	exports = append(append(append(exports, 2, 0), word("_start")...), 0, 3)
	body := append([]byte{0}, append(code, 0x0b)...)
	out := []byte("\x00asm\x01\x00\x00\x00")
	for _, s := range [][]byte{
		section(1, types), section(2, imports), section(3, []byte{1, 2}), section(5, []byte{1, 0, 1}), section(7, exports),
		section(10, append(leb([]byte{1}, len(body)), body...)),
	} {
		out = append(out, s...)
	}
	return out
}

func store32(at, value byte) []byte { return []byte{0x41, at, 0x41, value, 0x36, 2, 0} }

// echo reads up to 60 bytes to address 64 and writes them to fd.
func echo(fd byte) []byte {
	var c []byte
	c = append(c, 0x41, 0, 0x41, 0xc0, 0x00, 0x36, 2, 0)                  // i32.store(0, 64)
	c = append(c, store32(4, 60)...)                                      // i32.store(4, 60)
	c = append(c, 0x41, 0, 0x41, 0, 0x41, 1, 0x41, 8, 0x10, 0, 0x1a)      // fd_read(0, 0, 1, 8)
	c = append(c, 0x41, 4, 0x41, 8, 0x28, 2, 0, 0x36, 2, 0)               // i32.store(4, i32.load(8))
	return append(c, 0x41, fd, 0x41, 0, 0x41, 1, 0x41, 12, 0x10, 1, 0x1a) // fd_write(fd, 0, 1, 12)
}

func wasmFunction(t testing.TB, r *rig, options string, code ...byte) *Function {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.wasm"), wasmModule(code...), 0o644); err != nil {
		t.Fatal(err)
	}
	return r.function(t, "runtime: wasm, code: "+dir+options)
}

func TestWASM(t *testing.T) {
	r := newRig(t)
	f := wasmFunction(t, r, "", append(echo(2), echo2()...)...)
	for _, event := range []string{`{"a":1}`, `"b"`} {
		if got := text(t, call(f, event)); got != event {
			t.Errorf("%q", got)
		}
	}
	if n := r.launcher.started.Load(); n != 0 {
		t.Errorf("%d processes", n)
	}
	r.end()
	if log := r.logText(t); strings.Count(log, "platform REPORT") != 2 || !strings.Contains(log, `stderr {"a":1}`) {
		t.Error(log)
	}
}

// echo2 writes what echo has read to the standard output.
func echo2() []byte { return []byte{0x41, 1, 0x41, 0, 0x41, 1, 0x41, 12, 0x10, 1, 0x1a} }

func TestWASMFailures(t *testing.T) {
	r := newRig(t)
	for name, tc := range map[string]struct {
		code    []byte
		outcome Outcome
		detail  string
	}{
		"exit":  {[]byte{0x41, 3, 0x10, 2}, Failed, "exit status 3"},
		"trap":  {[]byte{0x00}, Crashed, "unreachable"},
		"loop":  {[]byte{0x03, 0x40, 0x0c, 0, 0x0b}, TimedOut, "timeout of 200ms"},
		"large": {append([]byte{0x03, 0x40}, append(append(append(append(store32(0, 0), 0x41, 4, 0x41, 0x80, 0x80, 0x04, 0x36, 2, 0), echo2()...), 0x0c, 0), 0x0b)...), TooLarge, "6 MiB"},
	} {
		f := wasmFunction(t, r, ", timeout: 200ms", tc.code...)
		result := call(f, "{}")
		if name == "large" && result.Outcome == TimedOut {
			continue // on a machine that is busy enough
		}
		if result.Outcome != tc.outcome || !strings.Contains(result.Detail, tc.detail) {
			t.Errorf("%s: %+v", name, result)
		}
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.wasm"), bytes.Repeat([]byte{1}, 100), 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := load("functions: {quote: {runtime: wasm, code: " + dir + "}}")
	if err != nil {
		t.Fatal(err)
	}
	l := r.Begin()
	defer l.Abort()
	if _, err := l.Function(c, Place{}); err == nil || !strings.Contains(err.Error(), "main.wasm") {
		t.Errorf("%v", err)
	}
}

// While modules compute, the gateway's garbage can be collected and others served.
func TestWASMLetsOthersRun(t *testing.T) {
	r := newRig(t)
	f := wasmFunction(t, r, ", timeout: 500ms, concurrency: 8", 0x03, 0x40, 0x0c, 0, 0x0b)
	done := make(chan Result, 8)
	for range 8 {
		go func() { done <- call(f, "{}") }()
	}
	began := time.Now()
	runtime.GC()
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("collecting took %v", took)
	}
	for range 8 {
		if result := <-done; result.Outcome != TimedOut {
			t.Errorf("%+v", result)
		}
	}
}

func BenchmarkWASM(b *testing.B) {
	r := newRig(b)
	f := wasmFunction(b, r, "", append(echo(2), echo2()...)...)
	b.ReportAllocs()
	for b.Loop() {
		result := call(f, `"x"`)
		if result.Outcome != Answered {
			b.Fatalf("%+v", result)
		}
		result.Free()
	}
}
