//go:build linux && (amd64 || arm64)

package stage

import (
	"reflect"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

func TestSteps(t *testing.T) {
	steps := []Step{
		{Op: Private},
		{Op: Bind, S: []string{"/usr", "usr"}, N: []uint64{7}},
		{Op: Exec, N: []uint64{1 << 63, 0}, S: []string{"", "a\x00b", string(make([]byte, 300))}},
	}
	b := Encode(steps)
	if n := int(b[0]) | int(b[1])<<8; n != len(b)-4 {
		t.Errorf("length %d of %d", n, len(b))
	}
	got, err := decode(b[4:])
	if err != nil || !reflect.DeepEqual(got, steps) {
		t.Errorf("%+v, %v", got, err)
	}
	for cut := 5; cut < len(b)-1; cut++ {
		if got, err := decode(b[4:cut]); err == nil && reflect.DeepEqual(got, steps) {
			t.Errorf("cut at %d it is whole", cut)
		}
	}
}

// FuzzDecode: what a parent sends is its own, but a stage stands in the gateway's
// place for a moment.
func FuzzDecode(f *testing.F) {
	f.Add(Encode([]Step{{Op: Private}, {Op: Dir, S: []string{"a"}, N: []uint64{0o755}}})[4:])
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		steps, err := decode(b)
		if err != nil {
			return
		}
		again, err := decode(Encode(steps)[4:])
		if err != nil || !reflect.DeepEqual(again, steps) {
			t.Errorf("%+v became %+v, %v", steps, again, err)
		}
	})
}

func TestEveryStepHasAName(t *testing.T) {
	for op := Join; op <= Fork; op++ {
		if op.String() == Op(255).String() {
			t.Errorf("%d has none", op)
		}
	}
}

func TestNumbers(t *testing.T) {
	for name, pair := range map[string][2]uint64{
		"close_range":          {sysCloseRange, unix.SYS_CLOSE_RANGE},
		"mount_setattr":        {sysMountSetattr, unix.SYS_MOUNT_SETATTR},
		"landlock_create":      {sysLandlockCreate, unix.SYS_LANDLOCK_CREATE_RULESET},
		"landlock_add":         {sysLandlockAdd, unix.SYS_LANDLOCK_ADD_RULE},
		"landlock_restrict":    {sysLandlockRestrict, unix.SYS_LANDLOCK_RESTRICT_SELF},
		"AT_RECURSIVE":         {atRecursive, unix.AT_RECURSIVE},
		"CLOSE_RANGE_CLOEXEC":  {closeRangeCloexec, unix.CLOSE_RANGE_CLOEXEC},
		"O_PATH":               {oPath, unix.O_PATH},
		"mount_attr":           {sizeofMountAttr, uint64(unsafe.Sizeof(unix.MountAttr{}))},
		"PR_SET_SECUREBITS":    {prSetSecurebits, unix.PR_SET_SECUREBITS},
		"PR_CAP_AMBIENT":       {prCapAmbient, unix.PR_CAP_AMBIENT},
		"PR_CAP_AMBIENT_CLEAR": {prCapAmbientClear, unix.PR_CAP_AMBIENT_CLEAR_ALL},
		"PR_SET_NO_NEW_PRIVS":  {prSetNoNewPrivs, unix.PR_SET_NO_NEW_PRIVS},
		"PR_SET_SECCOMP":       {prSetSeccomp, unix.PR_SET_SECCOMP},
		"SECCOMP_MODE_FILTER":  {seccompModeFilter, unix.SECCOMP_MODE_FILTER},
		"CAPABILITY_VERSION":   {capabilityV3, unix.LINUX_CAPABILITY_VERSION_3},
		"PATH_BENEATH":         {landlockBeneath, unix.LANDLOCK_RULE_PATH_BENEATH},
		"SIOCSIFFLAGS":         {siocsifflags, unix.SIOCSIFFLAGS},
		"IFF_UP":               {iffUp, unix.IFF_UP},
		"IFF_RUNNING":          {iffRunning, unix.IFF_RUNNING},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s is %d here, and %d", name, pair[0], pair[1])
		}
	}
	if cwd := unix.AT_FDCWD; atCwd != uintptr(cwd) {
		t.Errorf("AT_FDCWD is %d", cwd)
	}
}
