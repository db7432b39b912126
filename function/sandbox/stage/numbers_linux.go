//go:build amd64 || arm64

package stage

// Numbers of the kernel that package syscall lacks; a test holds them to those
// of golang.org/x/sys/unix, which would come with an initialisation of its own.
const (
	sysCloseRange       = 436
	sysMountSetattr     = 442
	sysLandlockCreate   = 444
	sysLandlockAdd      = 445
	sysLandlockRestrict = 446
	atRecursive         = 0x8000
	closeRangeCloexec   = 0x4
	oPath               = 0x200000
	sizeofMountAttr     = 32

	prSetSecurebits   = 28
	prCapAmbient      = 47
	prCapAmbientClear = 4
	prSetNoNewPrivs   = 38
	prSetSeccomp      = 22
	seccompModeFilter = 2
	// Root has no capabilities for being root, and no ambient ones are raised; this,
	// and that neither SECBIT_NO_SETUID_FIXUP nor SECBIT_KEEP_CAPS is set, is locked.
	securebits        = 1<<0 | 1<<1 | 1<<3 | 1<<5 | 1<<6 | 1<<7
	capabilityV3      = 0x20080522
	landlockBeneath   = 1
	siocsifflags      = 0x8914
	iffUp             = 0x1
	iffRunning        = 0x40
	highestCapability = 63
)
