package test

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	_ = os.Setenv("GATEHOUSE_TEST_TIER", "gold") // for scenarios that read the environment
	os.Exit(m.Run())
}
