//go:build amd64 || arm64

package sandbox

import (
	"fmt"
	"math"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"gatehouse/function/sandbox/stage"
)

const (
	// readOnly is how folders from outside are mounted. A device is one for
	// being a device, and its user not the function.
	readOnly    = unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV
	insideUser  = 1000
	openFiles   = 1024 // as on Lambda
	rootOver    = "/sys"
	emptyFolder = "mnt" // shown in place of folders below /proc
)

// plan is a list of steps in the making.
type plan struct {
	steps []stage.Step
	made  map[string]bool // paths of the new root that are there
	err   error
}

func (p *plan) do(op stage.Op, s []string, n ...uint64) {
	p.steps = append(p.steps, stage.Step{Op: op, N: n, S: s})
}

func words(s ...string) []string { return s }

// tree brings a path from outside in, with all that is mounted below it. Where
// the path is a symbolic link it is one within.
func (p *plan) tree(from, to string, attributes uint64) {
	info, err := os.Lstat(from)
	if err == nil && info.Mode()&os.ModeSymlink != 0 && from == "/"+to {
		p.link(from, to)
		return
	}
	if err == nil && info.Mode()&os.ModeSymlink != 0 {
		info, err = os.Stat(from)
	}
	if err != nil {
		p.err = err
		return
	}
	if info.IsDir() {
		p.dir(to, 0o755)
	} else {
		p.file(to, "")
	}
	p.do(stage.Bind, words(from, to), attributes)
}

func (p *plan) link(from, to string) {
	target, err := os.Readlink(from)
	if err != nil {
		p.err = err
		return
	}
	p.symlink(to, target)
}

// symlink, file and dir make what is not there yet, and the folders above it.
func (p *plan) symlink(at, target string) {
	if !p.made[at] {
		p.above(at)
		p.do(stage.Link, words(at, target))
		p.made[at] = true
	}
}

func (p *plan) file(at, content string) {
	if !p.made[at] {
		p.above(at)
		p.do(stage.File, words(at, content), 0o444)
		p.made[at] = true
	}
}

func (p *plan) dir(at string, mode uint64) {
	if !p.made[at] {
		p.above(at)
		p.do(stage.Dir, words(at), mode)
		p.made[at] = true
	}
}

func (p *plan) above(at string) {
	if folder := path.Dir(at); folder != "." {
		p.dir(folder, 0o755)
	}
}

func (p *plan) mount(kind, at, options string, flags uint64) {
	p.do(stage.Mount, words(kind, at, options), flags)
}

// steps says how a process is started. joins is how many cgroups it has to go
// into by itself, and uid who it is, in the eyes of its own user namespace.
func (s *Sandbox) steps(spec *Spec, joins int) ([]stage.Step, error) {
	p := &plan{made: make(map[string]bool)}
	if joins > 0 {
		p.do(stage.Join, nil, stage.Control+1, uint64(joins))
	}
	s.identity(p)
	p.do(stage.Private, nil)
	p.do(stage.Root, words(rootOver, "size=1m,nr_inodes=4096,mode=0755"))
	s.contents(p, spec)
	p.do(stage.Pivot, nil)
	p.do(stage.Seal, nil)
	p.do(stage.Hostname, words("function"))
	p.do(stage.Loopback, nil)
	if spec.Listen {
		p.do(stage.Listen, nil, Port)
	}
	s.limits(p, spec)
	s.confine(p)
	return p.steps, p.err
}

// identity is what has to be done first: who the process is, and that the kernel
// ends it rather than anything else where the machine is out of memory.
func (s *Sandbox) identity(p *plan) {
	p.do(stage.Write, words("/proc/self/oom_score_adj", strconv.Itoa(s.host.oomScore)))
	if s.way.users && s.host.uid != 0 {
		p.do(stage.Write, words("/proc/self/uid_map", fmt.Sprintf("%d %d 1", insideUser, s.host.uid)))
		p.do(stage.Write, words("/proc/self/setgroups", "deny"))
		p.do(stage.Write, words("/proc/self/gid_map", fmt.Sprintf("%d %d 1", insideUser, s.host.gid)))
	}
}

// contents is what is to be seen.
func (s *Sandbox) contents(p *plan, spec *Spec) {
	p.dir("dev", 0o755)
	for _, device := range []string{"null", "zero", "full", "random", "urandom"} {
		p.tree("/dev/"+device, "dev/"+device, 0)
	}
	for name, target := range map[string]string{"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"} {
		p.symlink("dev/"+name, target)
	}
	p.tree(spec.Code, CodePath[1:], readOnly)
	p.optional(spec.Layers, LayersPath)
	p.optional(spec.Runtime, RuntimePath)
	for _, tree := range outermost(spec.Trees) {
		p.tree(tree, tree[1:], readOnly)
	}
	s.etc(p)
	p.dir("tmp", 0o755)
	p.mount("tmpfs", "tmp", fmt.Sprintf("mode=1777,size=%d,nr_inodes=%d", spec.Tmp, inodes(spec.Tmp)), unix.MS_NOSUID|unix.MS_NODEV)
	s.proc(p)
}

// outermost leaves trees out that lie below others.
func outermost(trees []string) []string {
	trees = slices.Sorted(slices.Values(trees))
	var out []string
	for _, tree := range trees {
		if len(out) == 0 || tree != out[len(out)-1] && !strings.HasPrefix(tree, out[len(out)-1]+"/") {
			out = append(out, tree)
		}
	}
	return out
}

// optional brings a folder in, or shows an empty one.
func (p *plan) optional(from, to string) {
	if from == "" {
		p.dir(to[1:], 0o555)
		return
	}
	p.tree(from, to[1:], readOnly)
}

// inodes is how many files /tmp takes: each costs memory of the kernel's own,
// whatever is in it.
func inodes(size int64) int64 { return min(max(size>>13, 1024), 1<<20) }

// etc holds what C libraries and runtimes look for, and nothing of the
// machine's own but its certificate authorities.
func (s *Sandbox) etc(p *plan) {
	if s.host.authorities != "" {
		p.tree(s.host.authorities, "etc/ssl/certs/ca-certificates.crt", readOnly)
	}
	p.file("etc/passwd", fmt.Sprintf("root:x:0:0:root:/:/sbin/nologin\nsandbox:x:%d:%d:sandbox:/tmp:/sbin/nologin\n", insideUser, insideUser))
	p.file("etc/group", fmt.Sprintf("root:x:0:\nsandbox:x:%d:\n", insideUser))
	p.file("etc/hosts", "127.0.0.1 localhost function\n::1 localhost\n")
	p.file("etc/resolv.conf", "")
	p.file("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n")
}

// proc shows the processes of the new pid namespace alone, and of the rest of
// /proc not what tells of the machine and its past.
func (s *Sandbox) proc(p *plan) {
	p.dir("proc", 0o555)
	if !s.way.proc {
		return
	}
	p.dir(emptyFolder, 0o555)
	p.mount("proc", "proc", "hidepid=2", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC|unix.MS_RDONLY)
	for _, masked := range s.host.masked {
		over := "dev/null"
		if masked.folder {
			over = emptyFolder
		}
		p.do(stage.Bind, words(over, "proc/"+masked.name), 0)
	}
}

// limits are those that count each process by itself, or each user.
func (s *Sandbox) limits(p *plan, spec *Spec) {
	p.do(stage.Limit, nil, unix.RLIMIT_CORE, 0)
	p.do(stage.Limit, nil, unix.RLIMIT_NOFILE, openFiles)
	p.do(stage.Limit, nil, unix.RLIMIT_NPROC, uint64(spec.Processes))
	p.do(stage.Limit, nil, unix.RLIMIT_MEMLOCK, 64<<10)
	p.do(stage.Limit, nil, unix.RLIMIT_MSGQUEUE, 0)
	if s.cgroups == nil {
		p.do(stage.Limit, nil, unix.RLIMIT_DATA, data(spec.Memory))
	}
}

// data is the limit of a process's own memory where nothing better counts it.
// Runtimes reserve several times what they use.
func data(memory int64) uint64 {
	if memory > math.MaxInt64/8 {
		return math.MaxInt64
	}
	return uint64(memory)*4 + 512<<20
}

// confine takes away what was needed up to here.
func (s *Sandbox) confine(p *plan) {
	p.do(stage.Bound, nil)
	if s.host.uid == 0 {
		p.do(stage.User, nil, insideUser, insideUser) // launch puts the uid of a seat here where there is no user namespace
	}
	p.do(stage.Drop, nil)
	p.do(stage.Orphan, nil)
	p.do(stage.Chdir, words(CodePath))
	if s.host.landlock > 0 {
		p.steps = append(p.steps, landlock(s.host.landlock))
	}
	p.do(stage.Filter, words(s.filter))
}

// execution is the last step.
func execution(spec *Spec) stage.Step {
	argv := append([]string{spec.Command}, spec.Args...)
	s := append([]string{spec.Command}, argv...)
	return stage.Step{Op: stage.Exec, N: []uint64{uint64(len(argv))}, S: append(s, spec.Env...)}
}

// describe says in a few words what a step is about, for errors.
func describe(step stage.Step) string {
	text := strings.ToLower(step.Op.String())
	switch step.Op {
	case stage.Filter, stage.File, stage.Write, stage.Exec, stage.Landlock, stage.Root:
		if len(step.S) > 0 && step.Op != stage.Filter && step.Op != stage.Landlock {
			text += " " + step.S[0]
		}
	default:
		if len(step.S) > 0 {
			text += " " + strings.Join(step.S, " ")
		}
	}
	return text
}
