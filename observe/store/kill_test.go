package store

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// role is the environment variable that makes the tests' program a writer.
const role = "GATEHOUSE_STORE_WRITER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(role); dir != "" {
		if err := write(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// write says how many samples there are, and then adds one after the other, until it
// is killed. Windows follow each other quickly, so that blocks are made all the time.
func write(dir string) error {
	s := New(Options{Dir: dir})
	if err := s.Open(); err != nil {
		return err
	}
	n, err := stand(s)
	if err != nil {
		return err
	}
	fmt.Println("has", n)
	for ; ; n++ {
		at := began + int64(n)*5*minute
		b := s.Batch(Source{Name: "own"}, at)
		b.Add(labels.FromStrings(model.MetricNameLabel, "n"), Counter, float64(n))
		b.Add(labels.FromStrings(model.MetricNameLabel, fmt.Sprint("other", n/50)), Gauge, float64(n))
		if err := b.Commit(); err != nil {
			return err
		}
		fmt.Println("stored", n)
		if n%3 == 0 {
			if err := s.Maintain(forever(), time.UnixMilli(at)); err != nil {
				return err
			}
		}
	}
}

// TestKills: a process that is killed at any moment has lost nothing that it said to
// have stored, and starts again.
func TestKills(t *testing.T) {
	kills := 40
	if testing.Short() {
		kills = 5
	}
	dir := filepath.Join(t.TempDir(), "metrics")
	acknowledged := -1
	for n := range kills {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), role+"="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		var have int
		if !lines.Scan() {
			t.Fatalf("kill %d: the process says nothing", n)
		}
		if _, err := fmt.Sscanf(lines.Text(), "has %d", &have); err != nil || have <= acknowledged {
			t.Fatalf("kill %d: it says %q, and %d was stored", n, lines.Text(), acknowledged)
		}
		timer := time.AfterFunc(time.Duration(rand.IntN(60))*time.Millisecond, func() { _ = cmd.Process.Kill() })
		for lines.Scan() {
			_, _ = fmt.Sscanf(lines.Text(), "stored %d", &acknowledged)
		}
		_ = cmd.Wait()
		timer.Stop()
	}
	t.Logf("%d kills, %d samples", kills, acknowledged+1)
}
