package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strconv"
)

// Act is a call on the control socket that means nothing to this package: it
// takes a JSON document and returns another.
type Act func(ctx context.Context, document []byte) (any, error)

// Acts are calls by their names: keys/create is POST /v1/acts/keys/create.
type Acts map[string]Act

// maxDocument bounds what an act is sent: an export of a large state.
const maxDocument = 768 << 20

func (a Acts) register(mux *http.ServeMux) {
	for name, act := range a {
		mux.HandleFunc("POST /v1/acts/"+name, act.serve)
	}
}

func (a Act) serve(w http.ResponseWriter, r *http.Request) {
	document, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxDocument))
	if err != nil {
		write(w, http.StatusBadRequest, &Error{Message: "the document could not be read: " + err.Error()})
		return
	}
	answer, err := a(r.Context(), document)
	if err != nil {
		fail(w, err)
		return
	}
	write(w, http.StatusOK, answer)
}

type actorKey struct{}

// Actor returns who makes a call on the control socket, as the kernel told:
// "uid:1000"; "" for nobody known.
func Actor(ctx context.Context) string {
	actor, _ := ctx.Value(actorKey{}).(string)
	return actor
}

// userConn is a connection of a user's.
type userConn struct {
	net.Conn
	uid int
}

func withActor(ctx context.Context, conn net.Conn) context.Context {
	if c, ok := conn.(userConn); ok {
		return context.WithValue(ctx, actorKey{}, "uid:"+strconv.Itoa(c.uid))
	}
	return ctx
}

// Act makes a call by its name with a document, and reads the answer into out.
func (c *Client) Act(ctx context.Context, name string, in, out any) error {
	document, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return c.send(ctx, http.MethodPost, "/v1/acts/"+name, bytes.NewReader(document), out)
}
