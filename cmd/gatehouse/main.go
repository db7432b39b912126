// Command gatehouse is the front door for APIs. See gatehouse --help.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set by the linker.
var version = "development"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:]))
}

// run returns the exit code: 0 for success, 1 where the command found
// something wrong, 2 where it was called wrongly.
func run(ctx context.Context, args []string) int {
	root := newRoot()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var found *foundError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &found):
		if found.err != nil {
			fmt.Fprintln(os.Stderr, found.err)
		}
		return 1
	}
	fmt.Fprintf(os.Stderr, "gatehouse: %v\n", err)
	return 2
}

// foundError is what a command that ran as asked found wrong.
type foundError struct{ err error }

func (e *foundError) Error() string { return e.err.Error() }
func (e *foundError) Unwrap() error { return e.err }

func found(err error) error {
	if err == nil {
		return nil
	}
	return &foundError{err}
}

// flags are those that many commands share.
type flags struct {
	config string
	output string
}

func newRoot() *cobra.Command {
	f := &flags{}
	root := &cobra.Command{
		Use:           "gatehouse",
		Short:         "The front door for APIs",
		Long:          "Gatehouse terminates TLS, authenticates, throttles and routes requests to services.\nOne file describes it: gatehouse.yaml. Exit codes: 0 for success, 1 where a command\nfound something wrong, 2 where it was called wrongly.",
		Example:       "  gatehouse run --to http://localhost:3000\n  gatehouse check && gatehouse run\n  gatehouse explain",
		SilenceUsage:  true,
		SilenceErrors: true,
		// Before a command does anything: one that is called wrongly does nothing.
		PersistentPreRunE: func(*cobra.Command, []string) error { return f.checkOutput() },
	}
	root.PersistentFlags().StringVarP(&f.config, "config", "c", "gatehouse.yaml", "configuration file")
	root.PersistentFlags().StringVarP(&f.output, "output", "o", "text", "text or json")
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(
		newRun(f), newCheck(f), newPlan(f), newReload(f), newRestart(f), newImport(f), newInit(f), newRoutes(f), newExplain(f),
		newSchema(), newToken(f), newCA(f), newCertificates(f), newIAM(f), newHash(f), newPolicy(f), newWAF(f), newVersion(f),
		newFunctions(f), newKeys(f), newTokens(f), newState(f), newSecrets(f), newAudit(f),
	)
	return root
}
