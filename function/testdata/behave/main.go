// Command behave is a function for tests, on aws-lambda-go's own runtime: it does
// what the event tells it to.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type told struct {
	Do   string `json:"do"`
	For  int    `json:"for"` // milliseconds
	Text string `json:"text"`
}

var served int

func handle(ctx context.Context, raw json.RawMessage) (any, error) {
	served++
	var t told
	if err := json.Unmarshal(raw, &t); err != nil {
		return nil, err
	}
	c, _ := lambdacontext.FromContext(ctx)
	switch t.Do {
	case "who":
		deadline, _ := ctx.Deadline()
		return map[string]any{
			"id": c.AwsRequestID, "arn": c.InvokedFunctionArn, "served": served, "pid": os.Getpid(), "left": time.Until(deadline).Milliseconds(),
			"trace": os.Getenv("_X_AMZN_TRACE_ID"), "name": lambdacontext.FunctionName, "memory": lambdacontext.MemoryLimitInMB, "env": os.Getenv(t.Text),
		}, nil
	case "sleep":
		time.Sleep(time.Duration(t.For) * time.Millisecond)
	case "print":
		fmt.Println(t.Text)
		fmt.Fprintln(os.Stderr, t.Text)
	case "fail":
		return nil, errors.New(t.Text)
	case "panic":
		panic(t.Text)
	case "exit":
		os.Exit(7)
	case "large":
		return strings.Repeat("a", 7<<20), nil
	case "stream":
		return io.MultiReader(strings.NewReader("one "), strings.NewReader("two")), nil
	}
	return t.Do, nil
}

func main() {
	if os.Getenv("BEHAVE") == "die" {
		os.Exit(3)
	}
	if os.Getenv("BEHAVE") == "hang" {
		time.Sleep(time.Hour)
	}
	lambda.Start(handle)
}
