package stage

import (
	"encoding/binary"
	"errors"
)

// Op is what one step does. The numbers go between two processes of the same
// program only, so they may change with every version.
type Op byte

// The steps, with what they take: N are numbers, S strings.
const (
	Join     Op = iota + 1 // N: first descriptor, how many. The thread goes into the cgroups whose "tasks" these are
	Write                  // S: path, content
	Private                // nothing that is mounted here is seen elsewhere, and nothing elsewhere here
	Root                   // S: folder that is mounted over, options. The new root, which becomes the working directory
	Dir                    // S: path below the new root; N: mode
	File                   // S: path below the new root, content; N: mode
	Link                   // S: path below the new root, where it leads
	Mount                  // S: type, path below the new root, options; N: flags
	Bind                   // S: a path, one below the new root where its tree is seen too; N: attributes of the mounts there
	Pivot                  // the new root is the root, and the old one is gone
	Seal                   // the root is read-only from now on
	Hostname               // S: name
	Loopback               // lo is up
	Listen                 // N: port on 127.0.0.1. The socket goes to the parent
	Limit                  // N: resource, value
	Bound                  // no program gives a capability any more; before User, which takes the one that this needs
	User                   // N: uid, gid. No further groups
	Drop                   // no capability is left
	Chdir                  // S: path
	Orphan                 // killed when the parent ends
	Landlock               // N: handled, scoped, then an access for each path; S: paths
	Filter                 // S: a seccomp program, as the kernel takes it. No new privileges
	Exec                   // S: program, then its arguments from the zeroth on; N: how many of S are arguments. The rest is the environment
	Exit                   // ends well, in place of Exec: a trial
	Fork                   // for the nursery. N: flags of clone, user within (0 for no map), user outside, ambient capabilities, whether it is born in a cgroup
)

// String says in a word or two what a step does.
func (o Op) String() string {
	switch o {
	case Join:
		return "enter the cgroup"
	case Write:
		return "write"
	case Private:
		return "keep mounts private"
	case Root:
		return "mount the new root"
	case Dir:
		return "make folder"
	case File:
		return "make file"
	case Link:
		return "link"
	case Mount:
		return "mount"
	case Bind:
		return "bind"
	case Pivot:
		return "change the root"
	case Seal:
		return "make the root read-only"
	case Hostname:
		return "name the host"
	case Loopback:
		return "set loopback up"
	case Listen:
		return "listen"
	case Limit:
		return "set a limit"
	case Bound:
		return "bound capabilities"
	case User:
		return "change the user"
	case Drop:
		return "drop capabilities"
	case Chdir:
		return "change to"
	case Orphan:
		return "end with the parent"
	case Landlock:
		return "set Landlock up"
	case Filter:
		return "filter system calls"
	case Exec:
		return "run"
	case Exit:
		return "end"
	case Fork:
		return "be started"
	}
	return "unknown step"
}

// Step is one thing that is done before a function's program begins.
type Step struct {
	Op Op
	N  []uint64
	S  []string
}

// Largest is how many bytes of steps a stage takes.
const Largest = 1 << 20

var errCut = errors.New("the steps are cut off")

// Encode writes steps with their length before them.
func Encode(steps []Step) []byte {
	b := make([]byte, 4, 8192)
	for _, s := range steps {
		b = append(b, byte(s.Op))
		b = binary.AppendUvarint(b, uint64(len(s.N)))
		for _, n := range s.N {
			b = binary.AppendUvarint(b, n)
		}
		b = binary.AppendUvarint(b, uint64(len(s.S)))
		for _, text := range s.S {
			b = binary.AppendUvarint(b, uint64(len(text)))
			b = append(b, text...)
		}
	}
	binary.LittleEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

// decode reads what Encode wrote, without the length.
func decode(b []byte) ([]Step, error) {
	d := decoder{b: b}
	var steps []Step
	for len(d.b) > 0 && d.err == nil {
		s := Step{Op: Op(d.b[0])}
		d.b = d.b[1:]
		for n := d.count(); n > 0 && d.err == nil; n-- {
			s.N = append(s.N, d.number())
		}
		for n := d.count(); n > 0 && d.err == nil; n-- {
			s.S = append(s.S, d.text())
		}
		steps = append(steps, s)
	}
	return steps, d.err
}

type decoder struct {
	b   []byte
	err error
}

func (d *decoder) number() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.err = errCut
		return 0
	}
	d.b = d.b[n:]
	return v
}

// count reads how many things of at least one byte follow.
func (d *decoder) count() uint64 {
	n := d.number()
	if n > uint64(len(d.b)) {
		d.err = errCut
		return 0
	}
	return n
}

func (d *decoder) text() string {
	n := d.count()
	if d.err != nil {
		return ""
	}
	text := string(d.b[:n])
	d.b = d.b[n:]
	return text
}
