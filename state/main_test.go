package state

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"gatehouse/config"
)

// The test's own program is also the processes that it starts.
const (
	roleKey = "GATEHOUSE_STATE_TEST_ROLE"
	argsKey = "GATEHOUSE_STATE_TEST_ARGS"
)

func TestMain(m *testing.M) {
	args := strings.Split(os.Getenv(argsKey), "|")
	switch os.Getenv(roleKey) {
	case "writer":
		write(args[0], args[1])
	case "nats":
		serveNATS(args[0], args[1])
	default:
		os.Exit(m.Run())
	}
}

// child starts this program in a role; its standard output is read by the test.
func child(t *testing.T, role string, args ...string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleKey+"="+role, argsKey+"="+strings.Join(args, "|"))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	return cmd, lines
}

// write says what is in the state, and then stores row after row, saying each
// once it is acknowledged.
func write(data, key string) {
	s, table := newStore(data, key, nil)
	if err := s.Open(context.Background()); err != nil {
		fmt.Println("failed", err)
		return
	}
	highest := -1
	n := 0
	table.Each(func(id string, r Row) {
		i, _ := strconv.Atoi(id)
		if string(r.Value) == "value "+id {
			n++
			highest = max(highest, i)
		}
	})
	fmt.Println("has", n, highest)
	for i := highest + 1; ; i++ {
		id := strconv.Itoa(i)
		if err := table.Create(context.Background(), id, []byte("value "+id)); err != nil {
			fmt.Println("failed", err)
			return
		}
		fmt.Println("stored", i)
	}
}

func serveNATS(dir, port string) {
	p, _ := strconv.Atoi(port)
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: p, JetStream: true, StoreDir: dir, SyncAlways: true, NoSigs: true, NoLog: true})
	if err != nil {
		fmt.Println("failed", err)
		return
	}
	s.Start()
	s.ReadyForConnections(10 * time.Second)
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	select {}
}

// external starts a NATS server as a process of its own.
func external(t *testing.T, dir string, port int) *exec.Cmd {
	t.Helper()
	cmd, lines := child(t, "nats", dir, strconv.Itoa(port))
	if !lines.Scan() || lines.Text() != "ready" {
		t.Fatalf("the NATS server says %q", lines.Text())
	}
	return cmd
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

func newStore(data, key string, c *Config) (*Store, *Table) {
	if c == nil {
		c = &Config{}
	}
	c.MasterKey.File = &config.Path{Value: key}
	s := New(Options{Data: data, Config: c, Log: slog.New(slog.DiscardHandler), Patience: 200 * time.Millisecond})
	return s, s.Table("rows", nil)
}

// folders returns a data folder and the path of a master key beside it.
func folders(t *testing.T) (data, key string) {
	dir := t.TempDir()
	data = filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	return data, filepath.Join(dir, "master.key")
}

func opened(t *testing.T, data, key string, c *Config) (*Store, *Table) {
	t.Helper()
	s, table := newStore(data, key, c)
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, table
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}
