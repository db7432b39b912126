package secrets

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const day = 24 * time.Hour

func kind() Kind[string] {
	return Kind[string]{
		Name: "sub/keys", Turn: 30 * day, Life: 60 * day, Ahead: day,
		New: Random, Encode: EncodeLines,
		Decode:  func(text []byte) ([]Key, error) { return DecodeLines(text, 30*day) },
		Prepare: func(k *Key) (string, error) { return string(k.Secret), nil },
	}
}

func open(t testing.TB, place Place) *Ring[string] {
	t.Helper()
	r, err := Open(place, kind())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A key is there a day before its turn, and good for a while after it.
func TestTurns(t *testing.T) {
	place := NewFiles(filepath.Join(t.TempDir(), "data"))
	one, two := open(t, place), open(t, place)
	first := one.Current(time.Now()).Value
	if two.Current(time.Now()).Value != first {
		t.Fatal("two have not one key")
	}
	now := time.Now()
	turn := func(r *Ring[string], after time.Duration, want bool) {
		t.Helper()
		if changed, err := r.Turn(now.Add(after)); err != nil || changed != want {
			t.Errorf("after %v: %v %v", after, changed, err)
		}
	}
	turn(one, 28*day, false)
	turn(one, 29*day+time.Minute, true)
	turn(one, 29*day+time.Hour, false)
	turn(two, 29*day+time.Hour, false) // it reads what the other has made
	if len(two.All()) != 2 || two.All()[0].Value != one.All()[0].Value {
		t.Errorf("the other has %d keys", len(two.All()))
	}
	second := one.All()[0].Value
	for after, want := range map[time.Duration]string{29 * day: first, 30*day - time.Minute: first, 30*day + time.Minute: second, -time.Hour: first} {
		if got := two.Current(now.Add(after)).Value; got != want {
			t.Errorf("after %v the turn is another's", after)
		}
	}
	if oldest := &one.All()[1]; !one.Good(oldest, now.Add(59*day)) || one.Good(oldest, now.Add(61*day)) {
		t.Error("what the first key made is not good for 60 days")
	}
	// Nobody was there for long: the next key's turn begins at once.
	turn(one, 100*day, true)
	if got := one.Current(now.Add(100*day + time.Second)); got.Value == second || len(one.All()) != 1 {
		t.Errorf("%d keys", len(one.All()))
	}
	if _, err := os.Stat(place.Path("sub/keys")); err != nil {
		t.Error(err)
	}
}

func TestForce(t *testing.T) {
	place := NewFiles(t.TempDir())
	r := open(t, place)
	before, version := r.Current(time.Now()).Value, r.Version()
	if err := r.Force(time.Now(), false); err != nil {
		t.Fatal(err)
	}
	if now := r.Current(time.Now()).Value; now == before || len(r.All()) != 2 || r.Version() == version {
		t.Error("no new key is in force")
	}
	if err := r.Force(time.Now(), true); err != nil || len(r.All()) != 1 {
		t.Errorf("%d keys, %v", len(r.All()), err)
	}
	for range maxKeys {
		_ = r.Force(time.Now(), false)
	}
	if err := r.Force(time.Now(), false); err == nil || len(r.All()) > maxKeys {
		t.Errorf("%d keys, %v", len(r.All()), err)
	}
	if err := r.Force(time.Now(), true); err != nil {
		t.Error(err)
	}
}

// Of two that have one document each, what either's keys made stays good, and the
// turn is that of the one that is kept.
func TestMerge(t *testing.T) {
	one, two := open(t, NewFiles(t.TempDir())), open(t, NewFiles(t.TempDir()))
	current, other := one.Current(time.Now()).Value, two.Current(time.Now()).Value
	kept, own := one.now.Load().text, two.now.Load().text
	merged, err := one.Merge(kept, own)
	if err != nil {
		t.Fatal(err)
	}
	one.Changed(merged)
	if len(one.All()) != 2 || one.Current(time.Now()).Value != current || one.All()[1].Value != other {
		t.Errorf("%d keys", len(one.All()))
	}
	if again, err := one.Merge(merged, own); err != nil || !bytes.Equal(again, merged) {
		t.Errorf("merged twice: %v", err)
	}
	one.Changed([]byte("nonsense"))
	if len(one.All()) != 2 {
		t.Error("nonsense is believed")
	}
	if _, err := one.Merge(kept, []byte("nonsense")); err == nil {
		t.Error("nonsense is merged")
	}
}

func TestFilesErrors(t *testing.T) {
	place := NewFiles(t.TempDir())
	r := open(t, place)
	text, err := place.Read("sub/keys")
	if err != nil {
		t.Fatal(err)
	}
	if err := place.Create("sub/keys", text); !errors.Is(err, os.ErrExist) {
		t.Error(err)
	}
	if err := place.Replace("sub/keys", []byte("another"), text); !errors.Is(err, ErrChanged) {
		t.Error(err)
	}
	if err := os.Chmod(place.Path("sub/keys"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(place, kind()); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Error(err)
	}
	if err := r.Force(time.Now(), false); err == nil {
		t.Error("others can read the keys, and they are changed")
	}
	for _, text := range []string{"", "nonsense", strings.Repeat("A", 44) + " 1", strings.Repeat("A", 43) + "= x y"} {
		_ = os.Remove(place.Path("sub/keys"))
		if err := place.Create("sub/keys", []byte(text)); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(place, kind()); err == nil || !strings.Contains(err.Error(), place.Path("sub/keys")) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// A key alone, as earlier versions wrote it, is followed by another.
func TestKeyAlone(t *testing.T) {
	place := NewFiles(t.TempDir())
	if err := place.Create("sub/keys", []byte(strings.Repeat("A", 43)+"=\n")); err != nil {
		t.Fatal(err)
	}
	r := open(t, place)
	if changed, err := r.Turn(time.Now()); err != nil || !changed || len(r.All()) != 2 {
		t.Errorf("%v %v, %d keys", changed, err, len(r.All()))
	}
	if now := r.Current(time.Now()).Value; now != string(make([]byte, Size)) {
		t.Error("its turn is over at once")
	}
}

// The Keeper has rings take turns in their time.
func TestKeeper(t *testing.T) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		short := kind()
		short.Turn, short.Ahead = time.Hour, time.Minute
		r, err := Open(NewFiles(folder), short)
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var turned []string
		chores := 0
		k := NewKeeper(KeeperOptions{Log: slog.New(slog.DiscardHandler), Turned: func(name string) {
			mu.Lock()
			defer mu.Unlock()
			turned = append(turned, name)
		}, Chores: []func(context.Context){func(context.Context) { chores++ }}})
		k.Add(r)
		k.Start()
		k.Start()
		time.Sleep(time.Hour)
		synctest.Wait()
		mu.Lock()
		if len(turned) != 1 || turned[0] != "sub/keys" || len(r.All()) != 2 {
			t.Errorf("%v, %d keys", turned, len(r.All()))
		}
		mu.Unlock()
		k.Close()
		k.Close()
		if chores < 1000 {
			t.Errorf("%d chores", chores)
		}
		k.Start() // again, as after a take-over that came to nothing
		k.Close()
	})
}

func FuzzDecodeLines(f *testing.F) {
	text, _ := EncodeLines([]Key{{Made: time.Unix(1, 0), Secret: make([]byte, Size)}})
	f.Add(text)
	f.Add([]byte(strings.Repeat("A", 43) + "=\n\n"))
	f.Add([]byte("x 1 2\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, err := DecodeLines(text, day)
		if err != nil {
			return
		}
		again, _ := EncodeLines(keys)
		back, err := DecodeLines(again, day)
		if err != nil || len(back) != len(keys) {
			t.Fatalf("%q: %v", text, err)
		}
	})
}
