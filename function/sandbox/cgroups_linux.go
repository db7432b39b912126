//go:build amd64 || arm64

package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// machine is where the kernel says what there is of cgroups.
type machine struct {
	mounts string // as /proc/self/mountinfo
	own    string // as /proc/self/cgroup
	flags  int    // to write with
}

func thisMachine() (machine, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return machine{}, err
	}
	groups, err := os.ReadFile("/proc/self/cgroup")
	return machine{mounts: string(mounts), own: string(groups), flags: os.O_WRONLY}, err
}

// cgroupMount is one hierarchy.
type cgroupMount struct {
	kind, root, at string
	controllers    []string
}

// hierarchies reads mountinfo; the kernel escapes spaces and the like.
func (m machine) hierarchies() []cgroupMount {
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	var out []cgroupMount
	for line := range strings.Lines(m.mounts) {
		before, after, ok := strings.Cut(strings.TrimSpace(line), " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if !ok || len(left) < 5 || len(right) < 3 || right[0] != "cgroup" && right[0] != "cgroup2" {
			continue
		}
		out = append(out, cgroupMount{right[0], unescape.Replace(left[3]), unescape.Replace(left[4]), strings.Split(right[2], ",")})
	}
	return out
}

// folder returns where this process is in the hierarchy of a controller; "" for
// the controller is version 2.
func (m machine) folder(controller string) (string, bool) {
	path, ok := m.path(controller)
	if !ok {
		return "", false
	}
	for _, h := range m.hierarchies() {
		if controller == "" && h.kind != "cgroup2" || controller != "" && (h.kind != "cgroup" || !slices.Contains(h.controllers, controller)) {
			continue
		}
		rest, err := filepath.Rel(h.root, path)
		if err != nil || strings.HasPrefix(rest, "..") {
			rest = "."
		}
		return filepath.Join(h.at, rest), true
	}
	return "", false
}

func (m machine) path(controller string) (string, bool) {
	for line := range strings.Lines(m.own) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) == 3 && slices.Contains(strings.Split(parts[1], ","), controller) {
			return parts[2], true
		}
	}
	return "", false
}

// cgroups finds out what of cgroups this process may use. What is missing is in
// the layers, with the reason; without memory and pids there is nothing.
func (m machine) cgroups(configured string) (*cgroups, []Layer) {
	if _, ok := m.folder(memory); ok && configured == "" {
		return m.version1()
	}
	return m.version2(configured)
}

func (m machine) version1() (*cgroups, []Layer) {
	c := &cgroups{dialect: version1(), bases: make(map[string]string), flags: m.flags}
	var layers []Layer
	name := own()
	for _, controller := range controllers() {
		dir, ok := m.folder(controller)
		if !ok {
			layers = append(layers, absent(controller, "the kernel has no such controller, or it is not mounted", "mount -t cgroup -o "+controller+" cgroup /sys/fs/cgroup/"+controller))
			continue
		}
		sweep(dir)
		base := filepath.Join(dir, name)
		if err := os.Mkdir(base, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			layers = append(layers, absent(controller, err.Error(), "run the gateway as root, or chown "+dir+" to its user"))
			continue
		}
		c.bases[controller] = base
		layers = append(layers, Layer{Name: controller + " cgroup", Here: true})
	}
	return c.enough(layers)
}

func absent(controller, why, cure string) Layer {
	return Layer{Name: controller + " cgroup", Why: why, Cure: cure}
}

// enough gives cgroups up that do not limit memory and processes.
func (c *cgroups) enough(layers []Layer) (*cgroups, []Layer) {
	if len(c.bases) == 0 {
		return nil, layers
	}
	return c, layers
}

// gatewayLeaf is the cgroup that the gateway moves itself to in version 2, where
// a cgroup with processes of its own cannot limit those of others.
const gatewayLeaf = "gateway"

func (m machine) version2(configured string) (*cgroups, []Layer) {
	const cure = "as a systemd service: Delegate=yes and DelegateSubgroup=gateway; else give the gateway's user a cgroup, and name it: isolation: {cgroup: /sys/fs/cgroup/...}"
	var failed []string
	for _, dir := range m.candidates(configured) {
		c, err := m.delegated(dir)
		if err != nil {
			failed = append(failed, err.Error())
			continue
		}
		var layers []Layer
		for _, controller := range controllers() {
			layers = append(layers, Layer{Name: controller + " cgroup", Here: c.bases[controller] != ""})
			if last := &layers[len(layers)-1]; !last.Here {
				last.Why, last.Cure = "not among the controllers of "+dir, cure
			}
		}
		return c, layers
	}
	if len(failed) == 0 {
		failed = []string{"no cgroups are mounted"}
	}
	var layers []Layer
	for _, controller := range controllers() {
		layers = append(layers, absent(controller, strings.Join(failed, "; "), cure))
	}
	return nil, layers
}

// candidates are the cgroups that may be this gateway's to divide.
func (m machine) candidates(configured string) []string {
	if configured != "" {
		return []string{filepath.Clean(configured)}
	}
	dir, ok := m.folder("")
	if !ok {
		return nil
	}
	if filepath.Base(dir) == gatewayLeaf {
		return []string{filepath.Dir(dir)}
	}
	return []string{dir}
}

// delegated makes the folder of this gateway in a cgroup of version 2.
func (m machine) delegated(dir string) (*cgroups, error) {
	there, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return nil, err
	}
	var wanted []string
	for _, controller := range []string{memory, cpu, pids} {
		if slices.Contains(strings.Fields(string(there)), controller) {
			wanted = append(wanted, controller)
		}
	}
	if len(wanted) == 0 {
		return nil, fmt.Errorf("%s has no controllers of memory, cpu or pids to give on", dir)
	}
	sweep(dir)
	if err := m.enable(dir, wanted); errors.Is(err, syscall.EBUSY) {
		err = errors.Join(m.move(dir), m.enable(dir, wanted))
		if err != nil {
			return nil, err
		}
	} else if err != nil {
		return nil, err
	}
	base := filepath.Join(dir, own())
	if err := os.Mkdir(base, 0o755); err != nil {
		return nil, err
	}
	if err := m.enable(base, wanted); err != nil {
		return nil, errors.Join(err, os.Remove(base))
	}
	c := &cgroups{dialect: version2(), bases: map[string]string{freezer: base}, flags: m.flags}
	for _, controller := range wanted {
		c.bases[controller] = base
	}
	return c, nil
}

func (m machine) enable(dir string, wanted []string) error {
	return m.write(filepath.Join(dir, "cgroup.subtree_control"), "+"+strings.Join(wanted, " +"))
}

// move puts this process into a leaf of its own cgroup, if it is alone there.
func (m machine) move(dir string) error {
	members := strings.Fields(readWord(filepath.Join(dir, "cgroup.procs")))
	if !slices.Equal(members, []string{strconv.Itoa(os.Getpid())}) {
		return fmt.Errorf("%s has other processes than the gateway, so it cannot limit any", dir)
	}
	leaf := filepath.Join(dir, gatewayLeaf)
	if err := os.Mkdir(leaf, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return m.write(filepath.Join(leaf, "cgroup.procs"), strconv.Itoa(os.Getpid()))
}

func (m machine) write(path, value string) error {
	f, err := os.OpenFile(path, m.flags, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}
