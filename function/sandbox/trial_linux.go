//go:build amd64 || arm64

package sandbox

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"gatehouse/function/sandbox/stage"
)

// trialTime is far more than a start takes.
const trialTime = 20 * time.Second

// residentPeak returns what a process has had of memory at most, by itself.
func residentPeak(pid int) int64 {
	for line := range strings.Lines(readWord("/proc/" + strconv.Itoa(pid) + "/status")) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return n << 10
		}
	}
	return 0
}

// find tries ways to start a process, the best first, and says what there is.
func (s *Sandbox) find(c Config) Level {
	var layers []Layer
	m, err := thisMachine()
	if err != nil {
		layers = append(layers, absent("every", err.Error(), "mount /proc"))
	} else {
		s.cgroups, layers = m.cgroups(c.Cgroup)
	}
	first, err := s.first()
	if err != nil && s.cgroups != nil {
		first, layers, err = s.withoutCgroups(err, layers)
	}
	if err != nil {
		return Level{None, append([]Layer{{Name: "namespaces", Why: err.Error(), Cure: cure(err)}}, layers...)}
	}
	return Level{s.grade(), append(s.walls(first), layers...)}
}

// withoutCgroups tries whether it is the cgroups that do not let anything start.
func (s *Sandbox) withoutCgroups(failed error, layers []Layer) (missing error, _ []Layer, _ error) {
	these := s.cgroups
	s.cgroups = nil
	missing, err := s.first()
	_ = these.close()
	if err != nil {
		return nil, layers, failed
	}
	layers = nil
	for _, controller := range controllers() {
		layers = append(layers, absent(controller, failed.Error(), ""))
	}
	return missing, layers, nil
}

// first finds the best way that works; its error is that of the way that should
// have worked.
func (s *Sandbox) first() (missing error, err error) {
	ways := []way{{users: true, proc: true}, {users: true}}
	if s.host.uid == 0 {
		ways = []way{{users: true, proc: true}, {proc: true}, {users: true}, {}}
	}
	for _, s.way = range ways {
		failed := s.try()
		if failed == nil {
			return missing, nil
		}
		if missing == nil {
			missing = failed
		}
	}
	return nil, missing
}

// try does everything that a start does, but for the program.
func (s *Sandbox) try() error {
	ctx, cancel := context.WithTimeout(context.Background(), trialTime)
	defer cancel()
	folder, err := os.MkdirTemp("", "gatehouse-trial-")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(folder) }()
	if err := os.Chmod(folder, 0o755); err != nil {
		return err
	}
	p, err := s.start(ctx, &Spec{Code: folder, Memory: LeastMemory, Tmp: LeastTmp, CPU: 1, Processes: 64, Listen: true}, stage.Step{Op: stage.Exit})
	if err != nil {
		return err
	}
	p.Wait()
	return errors.Join(p.Stdout.Close(), p.Stderr.Close())
}

func (s *Sandbox) grade() Grade {
	if s.cgroups == nil || s.cgroups.bases[memory] == "" || s.cgroups.bases[cpu] == "" || s.cgroups.bases[pids] == "" {
		return Namespaces
	}
	return Full
}

// walls are the layers that are not cgroups. missing is why the best way did
// not work, if it did not.
func (s *Sandbox) walls(missing error) []Layer {
	layers := []Layer{{Name: "user namespace", Here: s.way.users}, {Name: "mount, pid, ipc, uts, cgroup and network namespaces", Here: true},
		{Name: "/proc", Here: s.way.proc}, {Name: "no capabilities, no new privileges", Here: true}, {Name: "seccomp", Here: true}, {Name: "Landlock", Here: s.host.landlock > 0}}
	for i := range layers[:3] {
		if !layers[i].Here && missing != nil {
			layers[i].Why, layers[i].Cure = missing.Error(), cure(missing)
		}
	}
	if s.host.landlock == 0 {
		layers[5].Why, layers[5].Cure = "the kernel has none, or does not use it", "boot with lsm=landlock,... before the others"
	}
	return layers
}

// cure says what to do about a failed start.
func cure(err error) string {
	var step *StepError
	inContainer := "in a container: --security-opt seccomp=unconfined --security-opt systempaths=unconfined, or run the gateway beside it"
	switch {
	case errors.Is(err, syscall.ENOSPC) || readWord("/proc/sys/user/max_user_namespaces") == "0":
		return "sysctl user.max_user_namespaces=65536"
	case readWord("/proc/sys/kernel/unprivileged_userns_clone") == "0":
		return "sysctl kernel.unprivileged_userns_clone=1"
	case readWord("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1" && os.Geteuid() != 0:
		return "give the program an AppArmor profile that says: userns, -- or sysctl kernel.apparmor_restrict_unprivileged_userns=0"
	case errors.As(err, &step) && step.err == syscall.ENOSYS:
		return "Linux 5.12 or newer is needed"
	case errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES):
		return inContainer
	}
	return ""
}
