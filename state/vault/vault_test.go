package vault

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"gatehouse/config"
	"gatehouse/secrets"
	"gatehouse/state"
)

// node is one gateway's end of the state.
type node struct {
	*Vault
	store *state.Store
	files *secrets.Files
	data  string
	log   *logged
}

type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newNode returns a node over the NATS server at a port; 0 for an engine of its own.
func newNode(t *testing.T, data, master string, port int) *node {
	t.Helper()
	c := &state.Config{}
	c.MasterKey.File = &config.Path{Value: master}
	if port > 0 {
		c.NATS = []string{fmt.Sprintf("nats://127.0.0.1:%d", port)}
	}
	n := &node{data: data, files: secrets.NewFiles(data), log: &logged{}}
	log := slog.New(slog.NewTextHandler(n.log, nil))
	n.store = state.New(state.Options{Data: data, Config: c, Log: log, Patience: 200 * time.Millisecond})
	n.Vault = New(n.store, n.files, log)
	return n
}

func (n *node) open(t *testing.T) *node {
	t.Helper()
	if err := os.MkdirAll(n.data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := n.store.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.store.Close)
	return n
}

func ring(t *testing.T, place secrets.Place) *secrets.Ring[string] {
	t.Helper()
	r, err := secrets.Open(place, secrets.Kind[string]{
		Name: "sub/keys", Turn: time.Hour, Life: 3 * time.Hour, Ahead: time.Minute, New: secrets.Random, Encode: secrets.EncodeLines,
		Decode:  func(text []byte) ([]secrets.Key, error) { return secrets.DecodeLines(text, time.Hour) },
		Prepare: func(k *secrets.Key) (string, error) { return string(k.Secret), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func current(r *secrets.Ring[string]) string { return r.Current(time.Now()).Value }

func serveNATS(t *testing.T, dir string, port int) *server.Server {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: dir, SyncAlways: true, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the NATS server is not ready")
	}
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	return s
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// Files are taken into the state, encrypted, and are gone; a restart finds them there.
func TestFilesAreTaken(t *testing.T) {
	dir := t.TempDir()
	data, master := filepath.Join(dir, "data"), filepath.Join(dir, "master.key")
	before := ring(t, secrets.NewFiles(data))
	secret := current(before)
	n := newNode(t, data, master, 0).open(t)
	if !n.Empty() {
		t.Error("an empty state is not empty")
	}
	if now := current(ring(t, n)); now != secret {
		t.Error("the key is another one")
	}
	if _, err := os.Stat(n.files.Path("sub/keys")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the file is still there", err)
	}
	if !strings.Contains(n.log.String(), "taken from a file into the state") || n.Empty() {
		t.Errorf("the log says %s", n.log)
	}
	text, err := n.Read("sub/keys")
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := bytes.Cut(text, []byte(" "))
	_ = filepath.Walk(data, func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() {
			if all, _ := os.ReadFile(path); bytes.Contains(all, first) {
				t.Errorf("%s holds the key", path)
			}
		}
		return err
	})
	n.store.Close()
	if now := current(ring(t, newNode(t, data, master, 0).open(t))); now != secret {
		t.Error("after a restart the key is another one")
	}
}

// Several that start at once on an empty state agree on one key, and whoever turns
// first is heard by all.
func TestNodesAgree(t *testing.T) {
	dir, port := t.TempDir(), freePort(t)
	serveNATS(t, filepath.Join(dir, "nats"), port)
	master := filepath.Join(dir, "master.key")
	var nodes []*node
	for i := range 4 {
		nodes = append(nodes, newNode(t, filepath.Join(dir, fmt.Sprint(i)), master, port).open(t))
	}
	rings := make([]*secrets.Ring[string], len(nodes))
	var all sync.WaitGroup
	for i, n := range nodes {
		all.Go(func() { rings[i] = ring(t, n) })
	}
	all.Wait()
	for _, r := range rings {
		if current(r) != current(rings[0]) {
			t.Fatal("two have two keys")
		}
	}
	turns := make([]bool, len(rings))
	later := time.Now().Add(59*time.Minute + time.Second)
	for i, r := range rings {
		all.Go(func() {
			var err error
			if turns[i], err = r.Turn(later); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	n := 0
	for _, turned := range turns {
		if turned {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d have made the next key", n)
	}
	for _, r := range rings {
		eventually(t, "all have it", func() bool { return len(r.All()) == 2 && r.All()[0].Value == rings[0].All()[0].Value })
	}
}

// One that joins with keys of its own adds them; one that begins while the servers
// are away does so once they are there; and what the servers lose they are given back.
func TestJoining(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for servers to come back")
	}
	dir, port := t.TempDir(), freePort(t)
	master := filepath.Join(dir, "master.key")
	one := newNode(t, filepath.Join(dir, "1"), master, port).open(t)
	first := ring(t, one)
	secret := current(first)
	if !strings.Contains(one.log.String(), "keys of this node alone") {
		t.Errorf("the log says %s", one.log)
	}
	nats := serveNATS(t, filepath.Join(dir, "nats"), port)
	settled := func(n *node) func() bool {
		return func() bool {
			n.Settle(context.Background())
			_, err := os.Stat(n.files.Path("sub/keys"))
			return errors.Is(err, fs.ErrNotExist)
		}
	}
	eventually(t, "its keys are taken into the state", settled(one))
	if current(first) != secret {
		t.Error("the key has changed")
	}

	data := filepath.Join(dir, "2")
	own := current(ring(t, secrets.NewFiles(data)))
	two := newNode(t, data, master, port).open(t)
	second := ring(t, two)
	if current(second) != secret || len(second.All()) != 2 || second.All()[1].Value != own {
		t.Errorf("%d keys", len(second.All()))
	}
	eventually(t, "the first one has the other's", func() bool { return len(first.All()) == 2 })

	// Other servers, where another gateway was first.
	for _, name := range []string{"empty", "used"} {
		early := name == "used"
		elsewhere := filepath.Join(dir, name)
		known := 2
		if early {
			other := freePort(t)
			s := serveNATS(t, elsewhere, other)
			stranger := newNode(t, filepath.Join(dir, "stranger"), master, other).open(t)
			ring(t, stranger)
			stranger.store.Close()
			s.Shutdown()
			s.WaitForShutdown()
			known = 3
		}
		anew := one.store.Anew()
		nats.Shutdown()
		nats.WaitForShutdown()
		nats = serveNATS(t, elsewhere, port)
		eventually(t, "the new servers are given the keys", func() bool {
			one.Settle(context.Background())
			row, err := one.table.Refresh(t.Context(), "sub/keys")
			return err == nil && one.store.Anew() > anew && bytes.Contains(row.Value, []byte(base64.StdEncoding.EncodeToString([]byte(secret))))
		})
		later := ring(t, newNode(t, filepath.Join(dir, name+"-later"), master, port).open(t))
		found := false
		for _, e := range later.All() {
			found = found || e.Value == secret
		}
		if len(later.All()) < known || !found || early == (current(later) == secret) {
			t.Errorf("%s: %d keys at one that comes later, %v", name, len(later.All()), found)
		}
		eventually(t, "the first one has them", func() bool {
			one.Settle(context.Background())
			return len(first.All()) == len(later.All())
		})
	}
}

// What a process that is taken over lends is used until the state is there.
func TestLent(t *testing.T) {
	dir := t.TempDir()
	data, master := filepath.Join(dir, "data"), filepath.Join(dir, "master.key")
	old := newNode(t, data, master, 0).open(t)
	secret := current(ring(t, old))
	next := newNode(t, data, master, 0)
	next.Lend(old.Known())
	r := ring(t, next)
	if current(r) != secret {
		t.Error("what was lent is not used")
	}
	old.store.Close()
	next.open(t)
	if err := r.Force(time.Now(), false); err != nil || len(r.All()) != 2 {
		t.Errorf("%d keys, %v", len(r.All()), err)
	}
}

// An export's keys are added to those that are here.
func TestImportMerges(t *testing.T) {
	dir := t.TempDir()
	one := newNode(t, filepath.Join(dir, "1"), filepath.Join(dir, "1.key"), 0).open(t)
	two := newNode(t, filepath.Join(dir, "2"), filepath.Join(dir, "2.key"), 0).open(t)
	first, second := ring(t, one), ring(t, two)
	text, err := one.store.Export("correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	own := current(second)
	if done, err := two.store.Import(t.Context(), "correct horse battery", text, false); err != nil || done.Written != 1 {
		t.Fatalf("%+v %v", done, err)
	}
	if current(second) != own || len(second.All()) != 2 || second.All()[1].Value != current(first) {
		t.Errorf("%d keys", len(second.All()))
	}
	if done, err := two.store.Import(t.Context(), "correct horse battery", text, true); err != nil || done.Written != 1 || current(second) != current(first) {
		t.Errorf("%+v %v", done, err)
	}
	if _, err := two.store.Rekey(t.Context()); err != nil {
		t.Error(err)
	}
	if now, err := two.Read("sub/keys"); err != nil || !bytes.Contains(now, []byte(" ")) {
		t.Errorf("after a rekey: %q %v", now, err)
	}
}
