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
	"gatehouse/takeover"
)

func newRun(f *flags) *cobra.Command {
	var to string
	var takeOver bool
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the gateway until SIGTERM",
		Long: "Run the gateway. SIGHUP reloads the configuration, as does a change of one of\nits files; SIGUSR1 opens the logs anew; SIGUSR2 starts the program anew, as restart\ndoes; SIGTERM and SIGINT drain and end it, a second one without waiting for requests\nany longer (exit code 1).\n\n" +
			"With --to and no file it puts safe defaults before one service: HTTPS on\n127.0.0.1:8443 with a certificate of an own CA, limits, and throttling. Where there\nis no file, ca, explain and reload are about that gateway.\n\n" +
			"With --take-over it takes sockets and data folder over from the gateway that runs on\nthe folder, which ends once its requests have: no request is lost. Until the new one\nis ready the old one serves on; where none runs, the start is one like any other.",
		Example: "  gatehouse run -c shop/gatehouse.yaml\n  gatehouse run --to http://localhost:3000\n  gatehouse run --take-over",
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
			return found(serve(cmd.Context(), load, takeOver))
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "service to stand before, [http://]HOST:PORT, in place of a file")
	cmd.Flags().BoolVar(&takeOver, "take-over", false, "take over from the gateway that runs on the same data folder")
	return cmd
}

// serve runs a gateway until ctx ends, or another process has taken over, and its
// requests have. That the operator's own limits cut some off is a warning of the
// log, and no failure.
func serve(ctx context.Context, load func() (*gatehouse.Config, error), takeOver bool) error {
	if err := conceal(); err != nil {
		return err
	}
	s := catch()
	program := own()
	sockets, err := takeover.Activated(takeover.OwnEnvironment())
	if err != nil {
		return err
	}
	cfg, err := load()
	if err != nil {
		return err
	}
	level := new(slog.LevelVar)
	level.Set(cfg.Log.SlogLevel())
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	g, err := gatehouse.New(cfg, gatehouse.Options{
		Logger: log, Level: level, Stdout: os.Stdout, Version: version, Load: load,
		TakeOver: takeOver, Sockets: sockets, Restart: program.restart,
		Notifier: takeover.NewNotifier(os.Getenv("NOTIFY_SOCKET")),
	})
	if err != nil {
		return err
	}
	for _, l := range cfg.Listen {
		log.Info("listening", "address", l.Address, "bound", fmt.Sprint(g.Addr(l.Address)))
	}
	ended := make(chan struct{})
	defer close(ended)
	go s.turn(ctx, g, log, ended)
	err = g.Run(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

// signals are those that a gateway turns into calls.
type signals struct{ again, anew, stop chan os.Signal }

// catch takes the signals over, from before there is a gateway: none of them
// ends the process while it starts. SIGPIPE never does: that nobody reads
// standard output any more is a trouble of the access log alone.
func catch() signals {
	s := signals{make(chan os.Signal, 4), make(chan os.Signal, 1), make(chan os.Signal, 2)}
	signal.Notify(s.again, syscall.SIGHUP, syscall.SIGUSR1)
	signal.Notify(s.anew, syscall.SIGUSR2)
	signal.Notify(s.stop, os.Interrupt, syscall.SIGTERM)
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	return s
}

// turn turns signals into calls until ended is closed. The first SIGTERM or
// SIGINT has ended the context of main; the second one hurries the drain. A
// reload that takes its time keeps none of these waiting.
func (s signals) turn(ctx context.Context, g *gatehouse.Gateway, log *slog.Logger, ended <-chan struct{}) {
	go s.hurry(g, ended)
	go s.restart(ctx, g, ended)
	for {
		select {
		case <-ended:
			return
		case caught := <-s.again:
			if caught == syscall.SIGHUP {
				_ = g.Reload(ctx) // it logs what went wrong
				continue
			}
			if err := g.ReopenLogs(); err != nil {
				log.Error("logs not opened anew", "error", err)
			}
		}
	}
}

func (s signals) restart(ctx context.Context, g *gatehouse.Gateway, ended <-chan struct{}) {
	for {
		select {
		case <-ended:
			return
		case <-s.anew:
			_ = g.Restart(ctx) // it logs what went wrong
		}
	}
}

func (s signals) hurry(g *gatehouse.Gateway, ended <-chan struct{}) {
	for range 2 {
		select {
		case <-ended:
			return
		case <-s.stop:
		}
	}
	g.Hurry()
}
