package test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// shell is a reader at a terminal: a bash that runs one line after the other.
type shell struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Reader
}

func newShell(t *testing.T, dir string) *shell {
	t.Helper()
	cmd := exec.Command("bash", "--norc", "--noprofile")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+filepath.Join(dir, ".cache"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // with all that it runs
		_ = cmd.Wait()
	})
	return &shell{t, in, bufio.NewReader(out)}
}

// run runs a line and returns what it prints. A line that fails fails the test.
func (s *shell) run(line string) string {
	s.t.Helper()
	const end = "--ended--"
	fmt.Fprintf(s.in, "%s\nCODE=$?; echo; echo %s$CODE\n", line, end)
	var said strings.Builder
	for {
		got, err := s.out.ReadString('\n')
		if err != nil {
			s.t.Fatalf("%s\n%s%s: the shell has ended", line, &said, got)
		}
		if code, ended := strings.CutPrefix(strings.TrimSpace(got), end); ended {
			if code != "0" {
				s.t.Errorf("%s\n%s\nended with %s", line, &said, code)
			}
			return said.String()
		}
		said.WriteString(got)
	}
}

var fence = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```")

// tour is the part of the README that a newcomer follows.
type tour struct {
	before string // the commands without a file
	file   string
	try    string // the commands with it
	change string // and when it has changed
}

func readTour(t *testing.T) tour {
	t.Helper()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, part, _ := strings.Cut(string(text), "## Five minutes")
	blocks := fence.FindAllStringSubmatch(part, 4)
	if len(blocks) != 4 || blocks[1][1] != "yaml" {
		t.Fatalf("the tour has other blocks than it had: %q", blocks)
	}
	return tour{blocks[0][2], blocks[1][2], blocks[2][2], blocks[3][2]}
}

// TestTour follows the README's five minutes to the letter.
func TestTour(t *testing.T) {
	if !alone(t) {
		return
	}
	tour := readTour(t)
	dir := checkout(t)
	newBackendAt(t, "service", "127.0.0.1:3000")

	shell := newShell(t, dir)
	follow(t, shell, tour.before, map[string]string{
		"run --to": "",
		"curl":     `"backend":"service"`,
	})
	shell.run("kill %1; wait %1")
	write(t, filepath.Join(dir, "gatehouse.yaml"), []byte(tour.file))
	follow(t, shell, tour.try, map[string]string{
		"check":         "gatehouse.yaml is good",
		"curl --cacert": `"uri":"/orders/42"`,
		"explain  ":     "GET localhost/orders/42",
		"explain $ID":   "refused by auth (no-credential)",
	})
	write(t, filepath.Join(dir, "next.yaml"), []byte(strings.Replace(tour.file, "burst: 20", "burst: 30", 1)))
	follow(t, shell, tour.change, map[string]string{
		"plan":   "GET /orders/{id} (throttle)",
		"routes": "auth > authorize > throttle",
	})
	if got := shell.run("bin/gatehouse plan"); !strings.Contains(got, "no route changes") {
		t.Errorf("after the reload the plan says %s", got)
	}
	shell.run("kill %1; wait %1")
}

// follow runs the lines of a block, each as a reader does who looks what comes
// of it, and holds what the lines print against what they should, whatever the
// space between their words. The gateway, which takes a terminal of its own, runs
// in the background.
func follow(t *testing.T, shell *shell, block string, wants map[string]string) {
	t.Helper()
	for line := range strings.Lines(block) {
		line = strings.TrimRight(line, "\n")
		runs := strings.HasPrefix(line, "bin/gatehouse run ")
		if runs && !strings.HasSuffix(line, "&") {
			line += " &"
		}
		got := squeezed(shell.run(line))
		if runs {
			listens(t, "127.0.0.1:8443")
		}
		for part, want := range wants {
			if strings.Contains(line, part) && !strings.Contains(got, want) {
				t.Errorf("%s\nsays %s\nwant %s", line, got, want)
			}
		}
	}
	for part := range wants {
		if !strings.Contains(block, part) {
			t.Errorf("no line has %q", part)
		}
	}
}
