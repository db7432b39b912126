package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"gatehouse"
)

func newRun(f *flags) *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the gateway until SIGTERM",
		Long: "Run the gateway. SIGHUP reloads the configuration, as does a change of one of\nits files; SIGUSR1 opens the logs anew; SIGTERM and SIGINT drain and end it.\n\n" +
			"With --to and no file it puts safe defaults before one service: HTTPS on\n127.0.0.1:8443 with a certificate of an own CA, limits, and throttling. Where there\nis no file, ca, explain and reload are about that gateway.",
		Example: "  gatehouse run -c shop/gatehouse.yaml\n  gatehouse run --to http://localhost:3000",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			load := func() (*gatehouse.Config, error) { return gatehouse.Load(f.config) }
			if to != "" {
				if cmd.Flags().Changed("config") {
					return errors.New("--to stands in place of a file: say --to or --config")
				}
				if _, err := gatehouse.Before(to); err != nil {
					return err
				}
				load = func() (*gatehouse.Config, error) { return gatehouse.Before(to) }
			}
			return found(serve(cmd.Context(), load))
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "service to stand before, [http://]HOST:PORT, in place of a file")
	return cmd
}

func serve(ctx context.Context, load func() (*gatehouse.Config, error)) error {
	cfg, err := load()
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: cfg.Log.SlogLevel()}))
	g, err := gatehouse.New(cfg, gatehouse.Options{Logger: log, Stdout: os.Stdout, Version: version, Load: load})
	if err != nil {
		return err
	}
	for _, l := range cfg.Listen {
		log.Info("listening", "address", l.Address, "bound", fmt.Sprint(g.Addr(l.Address)))
	}
	ended := make(chan struct{})
	defer close(ended)
	go signals(ctx, g, log, ended)
	return g.Run(ctx)
}

// signals turns SIGHUP and SIGUSR1 into calls.
func signals(ctx context.Context, g *gatehouse.Gateway, log *slog.Logger, ended <-chan struct{}) {
	c := make(chan os.Signal, 4)
	signal.Notify(c, syscall.SIGHUP, syscall.SIGUSR1)
	defer signal.Stop(c)
	for {
		select {
		case <-ended:
			return
		case s := <-c:
			if s == syscall.SIGHUP {
				_ = g.Reload(ctx) // it logs what went wrong
				continue
			}
			if err := g.ReopenLogs(); err != nil {
				log.Error("logs not opened anew", "error", err)
			}
		}
	}
}
