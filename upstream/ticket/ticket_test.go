package ticket

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/secrets"
)

func open(t testing.TB, folder string) *Ring {
	t.Helper()
	r, err := Open(secrets.NewFiles(folder))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTicket(t *testing.T) {
	r := open(t, t.TempDir())
	now := time.Unix(1_772_600_767, 0)
	text := string(r.Append(nil, "orders", Ticket{42, now}))
	if len(text) != Size || strings.ContainsAny(text, "+/= ;,\"") {
		t.Errorf("%q", text)
	}
	if got, ok := r.Read("orders", text); !ok || got.Target != 42 || !got.Issued.Equal(now) {
		t.Errorf("%v %v", got, ok)
	}
	if again := string(r.Append(nil, "orders", Ticket{42, now})); again == text {
		t.Error("two clients of a target can tell that they are")
	}
	if _, ok := r.Read("other", text); ok {
		t.Error("a ticket of another service")
	}
	if _, ok := open(t, t.TempDir()).Read("orders", text); ok {
		t.Error("a ticket of another gateway")
	}
	raw, _ := base64.RawURLEncoding.DecodeString(text)
	for i := range raw {
		for _, bit := range []byte{1, 128} {
			raw[i] ^= bit
			if _, ok := r.Read("orders", base64.RawURLEncoding.EncodeToString(raw)); ok {
				t.Errorf("byte %d can be changed", i)
			}
			raw[i] ^= bit
		}
	}
	for _, text := range []string{"", text[1:], text + "A", strings.Repeat("A", Size), strings.Repeat("=", Size), strings.Repeat("\xff", Size)} {
		if _, ok := r.Read("orders", text); ok {
			t.Errorf("%q is a ticket", text)
		}
	}
}

func TestKeysStay(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "data")
	text := string(open(t, folder).Append(nil, "orders", Ticket{7, time.Now()}))
	if got, ok := open(t, folder).Read("orders", text); !ok || got.Target != 7 {
		t.Error("a restart has made tickets void")
	}
	info, err := os.Stat(filepath.Join(folder, File))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(folder, ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A new key makes tickets, the old ones read theirs; the oldest goes.
func TestRotation(t *testing.T) {
	folder := t.TempDir()
	r := open(t, folder)
	var texts []string
	for month := range 4 {
		if month > 0 {
			if _, err := r.Turn(time.Now().Add(time.Duration(month) * (lifetime + time.Hour))); err != nil {
				t.Fatal(err)
			}
		}
		key := r.All()[0].Value
		texts = append(texts, string(appendWith(key, nil, "orders", Ticket{uint64(month), time.Now()})))
	}
	for _, r := range []*Ring{r, open(t, folder)} {
		for month, text := range texts {
			if _, ok := r.Read("orders", text); ok != (month > 0) {
				t.Errorf("month %d: %v", month, ok)
			}
		}
	}
}

// Whoever removes the file gets a new key with the next start, and clients keep
// their targets until then.
func TestFileRemoved(t *testing.T) {
	folder := t.TempDir()
	r := open(t, folder)
	text := string(r.Append(nil, "orders", Ticket{1, time.Now()}))
	if err := os.Remove(filepath.Join(folder, File)); err != nil {
		t.Fatal(err)
	}
	if _, ok := r.Read("orders", text); !ok {
		t.Error("the old key is gone at once")
	}
	if _, ok := open(t, folder).Read("orders", text); ok {
		t.Error("the old key has come back")
	}
}

func TestBadFiles(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, File)
	for text, says := range map[string]string{"nonsense": "holds no keys", `{"keys":[null]}`: "holds no keys", `{"keys":[{"key":"AAAA"}]}`: "32 bytes"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(secrets.NewFiles(folder)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(secrets.NewFiles(folder)); err == nil || !strings.Contains(err.Error(), "read by others") {
		t.Error(err)
	}
}

func TestConcurrent(t *testing.T) {
	r := open(t, t.TempDir())
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 200 {
				text := string(r.Append(nil, "orders", Ticket{uint64(i), time.Now()}))
				if got, ok := r.Read("orders", text); !ok || got.Target != uint64(i) {
					t.Error("a ticket is lost")
				}
			}
		})
	}
	for range 5 {
		if err := r.Force(time.Now(), false); err != nil {
			t.Error(err)
		}
	}
	all.Wait()
}

func FuzzRead(f *testing.F) {
	r := open(f, f.TempDir())
	f.Add("orders", "")
	f.Add("orders", strings.Repeat("A", Size))
	f.Fuzz(func(t *testing.T, service, text string) {
		if _, ok := r.Read(service, text); ok {
			t.Fatalf("%q is a ticket", text)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	r := open(b, b.TempDir())
	text := string(r.Append(nil, "orders", Ticket{42, time.Now()}))
	b.ReportAllocs()
	for range b.N {
		if _, ok := r.Read("orders", text); !ok {
			b.Fatal()
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	r := open(b, b.TempDir())
	text := make([]byte, 0, Size)
	b.ReportAllocs()
	for range b.N {
		r.Append(text, "orders", Ticket{42, time.Now()})
	}
}
