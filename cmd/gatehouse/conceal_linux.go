package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// conceal keeps other processes of the gateway's user out of its memory, its
// environment and its descriptors, and all of that out of core dumps. Root, and
// the gateway itself, still see them below /proc.
func conceal() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("the gateway cannot be kept from other processes of its user: %w", err)
	}
	return nil
}
