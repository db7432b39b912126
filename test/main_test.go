package test

import (
	"fmt"
	"os"
	"testing"
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

// run prepares the environment that tests read, and runs them.
func run(m *testing.M) int {
	_ = os.Setenv("GATEHOUSE_TEST_TIER", "gold") // for scenarios
	keys, err := os.MkdirTemp("", "gatehouse-keys-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(keys)
	_ = os.Setenv("XDG_CONFIG_HOME", keys) // where master keys are made
	if os.Getenv(programsKey) == "" {
		dir, err := os.MkdirTemp("", "gatehouse-programs-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		_ = os.Setenv(programsKey, dir)
	}
	return m.Run()
}
