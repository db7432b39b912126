package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"gatehouse"
	"gatehouse/importer/live"
)

func newInit(f *flags) *cobra.Command {
	var to []string
	var force bool
	cmd := &cobra.Command{
		Use:     "init",
		Short:   "Write a first gatehouse.yaml for a service that answers",
		Long:    "Look at services, those that --to names or those on the usual ports of this machine,\nand write a configuration with comments for a gateway before them. They are asked for\na few pages by GET: where they say how they do, and whether they describe themselves\nby OpenAPI. A file that is there is left unless --force is said.",
		Example: "  gatehouse init\n  gatehouse init --to http://localhost:3000 && gatehouse run",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := os.Lstat(f.config); err == nil && !force {
				return found(fmt.Errorf("%s is there already: --force writes over it, -c names another file", f.config))
			}
			services, err := look(cmd, to)
			if err != nil {
				return err
			}
			return f.start(cmd, services, force)
		},
	}
	cmd.Flags().StringArrayVar(&to, "to", nil, "service to stand before, [http[s]://]HOST:PORT; may be given several times")
	cmd.Flags().BoolVar(&force, "force", false, "write over a file that is there")
	return cmd
}

// look finds services, and says on standard error how far it has come.
func look(cmd *cobra.Command, to []string) ([]live.Found, error) {
	var services []live.Found
	seen := func(f live.Found) {
		fmt.Fprintln(cmd.ErrOrStderr(), f)
		services = append(services, f)
	}
	for _, text := range to {
		address, err := live.ParseAddress(text)
		if err != nil {
			return nil, err
		}
		seen(live.Probe(cmd.Context(), address))
	}
	if len(to) > 0 {
		return services, nil
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "looking at %d ports of this machine\n", len(live.Ports))
	for _, port := range live.Ports {
		f := live.Probe(cmd.Context(), live.Found{Address: fmt.Sprintf("127.0.0.1:%d", port)})
		if f.Answers {
			seen(f)
		}
		if err := cmd.Context().Err(); err != nil {
			return nil, found(context.Cause(cmd.Context()))
		}
	}
	if len(services) == 0 {
		return nil, found(errors.New("no service answers on the usual ports of this machine: say where it is with --to http://HOST:PORT"))
	}
	return services, nil
}

// start writes the file.
func (f *flags) start(cmd *cobra.Command, services []live.Found, force bool) error {
	r := live.Starter(services)
	cfg, err := gatehouse.LoadText(f.config, r.Text)
	if err != nil {
		return f.problems(cmd, err)
	}
	if err := writeNew(f.config, r.Text, force); err != nil {
		return found(err)
	}
	v := struct {
		File     string       `json:"file"`
		Services []live.Found `json:"services"`
		Routes   int          `json:"routes"`
	}{f.config, services, len(cfg.Routes())}
	return f.print(cmd, v, func() {
		fmt.Fprintf(cmd.OutOrStdout(), "wrote %s; every route in it is open to everybody until its authorize says otherwise\nnext: gatehouse check && gatehouse run\n", f.config)
	})
}
