package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"gatehouse"
)

func newRestart(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:     "restart",
		Short:   "Make the running gateway start its program anew, without losing a request",
		Long:    "Make the running gateway start its program anew, from the file and with the\narguments and the environment that it was started with itself, as run --take-over:\na new version of the program, or what a reload cannot change. The old process\nends once its requests have. Where the new one cannot start, the old one serves on,\nand the exit code is 1.",
		Example: "  mv gatehouse.new /usr/local/bin/gatehouse && gatehouse restart",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := f.client(cmd)
			if err != nil {
				return err
			}
			if err := c.Restart(cmd.Context()); err != nil {
				return f.refused(cmd, err)
			}
			var status gatehouse.Status
			if err := c.Status(cmd.Context(), &status); err != nil {
				return found(err)
			}
			return f.print(cmd, status, func() { cmd.Printf("restarted: process %d, version %s\n", status.PID, status.Version) })
		},
	}
}

// program is how this process was started.
type program struct {
	path string
	dir  string
	args []string
	err  error
}

// own returns how this process was started. The file is what its name led to
// then: another one may stand there by now, which is the point.
func own() program {
	p := program{args: os.Args[1:]}
	if p.path, p.err = exec.LookPath(os.Args[0]); p.err != nil {
		return p
	}
	if p.path, p.err = filepath.Abs(p.path); p.err != nil {
		return p
	}
	p.dir, p.err = os.Getwd()
	return p
}

// restart starts the program anew, to take over.
func (p program) restart() (gatehouse.Successor, error) {
	if p.err != nil {
		return gatehouse.Successor{}, p.err
	}
	args := p.args
	if !slices.Contains(args, "--take-over") {
		args = append(slices.Clone(args), "--take-over")
	}
	cmd := exec.Command(p.path, args...)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = p.dir, os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return gatehouse.Successor{}, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	return gatehouse.Successor{Ended: ended, Kill: func() { _ = cmd.Process.Kill() }}, nil
}
