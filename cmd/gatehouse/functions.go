package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"gatehouse"
	"gatehouse/config"
)

func newFunctions(f *flags) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "functions",
		Short:   "See and invoke the functions of the running gateway",
		Example: "  gatehouse functions list\n  gatehouse functions invoke quote '{\"sku\": 7}'",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newFunctionsList(f), newFunctionsInvoke(f))
	return cmd
}

func newFunctionsList(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the functions with their versions and processes",
		Example: "  gatehouse functions list -o json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list := []gatehouse.FunctionInfo{}
			if err := f.act(cmd, "functions/list", struct{}{}, &list); err != nil {
				return err
			}
			return f.print(cmd, list, func() {
				t := newTable(cmd.OutOrStdout())
				fmt.Fprintln(t, "NAME\tRUNTIME\tVERSION\tMEMORY\tTIMEOUT\tPROCESSES\tIDLE\tRUNNING\tWAITING")
				for _, i := range list {
					fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\n", i.Name, i.Runtime, i.Version, config.Size(i.Memory), i.Timeout, i.Now.Processes, i.Now.Idle, i.Now.Running, i.Now.Waiting)
				}
				_ = t.Flush()
			})
		},
	}
}

// maxEvent is how large an event by command may be.
const maxEvent = 6 << 20

func newFunctionsInvoke(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:     "invoke NAME [EVENT]",
		Short:   "Have a function work on an event, and print its answer",
		Long:    "Have a function work on an event, and print its answer. The event is JSON: an argument,\n{} without one, or what stands on the standard input for -. The exit code is 1 where the\nfunction gave no answer.",
		Example: "  gatehouse functions invoke quote '{\"sku\": 7}'\n  gatehouse functions invoke quote - < event.json",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			event, err := eventOf(cmd, args[1:])
			if err != nil {
				return err
			}
			var out gatehouse.Invoked
			if err := f.act(cmd, "functions/invoke", gatehouse.Invocation{Name: args[0], Event: event}, &out); err != nil {
				return err
			}
			if err := f.print(cmd, out, func() { printInvoked(cmd, &out) }); err != nil {
				return err
			}
			if out.Outcome != "answered" {
				return &foundError{}
			}
			return nil
		},
	}
}

func eventOf(cmd *cobra.Command, args []string) (json.RawMessage, error) {
	event := []byte("{}")
	if len(args) > 0 {
		event = []byte(args[0])
	}
	if string(event) == "-" {
		var err error
		if event, err = io.ReadAll(io.LimitReader(cmd.InOrStdin(), maxEvent+1)); err != nil {
			return nil, err
		}
	}
	if len(event) > maxEvent || !json.Valid(event) {
		return nil, fmt.Errorf("an event is JSON of at most 6 MiB")
	}
	return event, nil
}

func printInvoked(cmd *cobra.Command, out *gatehouse.Invoked) {
	switch {
	case out.Answer != nil:
		fmt.Fprintf(cmd.OutOrStdout(), "%s\n", out.Answer)
	case out.Text != "":
		fmt.Fprintln(cmd.OutOrStdout(), printable(out.Text))
	}
	how := "warm"
	if out.Cold {
		how = fmt.Sprintf("cold, started in %.1f ms", out.InitMS)
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%s in %.3f ms (%s)", out.Outcome, out.Millis, how)
	if out.Detail != "" {
		fmt.Fprintf(cmd.ErrOrStderr(), ": %s", printable(out.Detail))
	}
	fmt.Fprintln(cmd.ErrOrStderr())
}
