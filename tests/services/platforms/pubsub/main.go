// Pub/Sub for tests: Google's pstest (gRPC) behind the REST interface that the service has, with what pstest leaves out.
//
//	/v1/projects/P/…               the service's own calls; errors as google.rpc.Status
//	/token, /computeMetadata/…     a token server, a metadata server
//	/control/fail                  ?verb=V&status=S&times=N[&after=1][&reason=…&metadata=…]: the next N calls of V fail (after: once they are done)
//	/control/calm                  no call fails any more
//	/control/expire                no token that was given out is taken any more
//	/control/return                what is lent to somebody for up to a minute comes again at once
//	/control/state                 what happened so far, as JSON
//
// Bearer tokens are checked: those given out here, and JWTs that the key of -key has signed for this service. A pull that finds nothing waits
// for what X-Server-Timeout says, and then fails with DEADLINE_EXCEEDED.
package main

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/pubsub/apiv1/pubsubpb"
	"cloud.google.com/go/pubsub/pstest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

const (
	audience    = "https://pubsub.googleapis.com/"
	requestMax  = 10_000_000
	messagesMax = 1000
	ackBytesMax = 512 << 10
)

// google.rpc.Code by name: number of gRPC, status of HTTP
var kinds = map[string]struct {
	code codes.Code
	http int
}{
	"CANCELLED": {codes.Canceled, 499}, "UNKNOWN": {codes.Unknown, 500}, "INVALID_ARGUMENT": {codes.InvalidArgument, 400},
	"DEADLINE_EXCEEDED": {codes.DeadlineExceeded, 504}, "NOT_FOUND": {codes.NotFound, 404},
	"ALREADY_EXISTS": {codes.AlreadyExists, 409}, "PERMISSION_DENIED": {codes.PermissionDenied, 403},
	"RESOURCE_EXHAUSTED": {codes.ResourceExhausted, 429}, "FAILED_PRECONDITION": {codes.FailedPrecondition, 400},
	"ABORTED": {codes.Aborted, 409}, "OUT_OF_RANGE": {codes.OutOfRange, 400}, "UNIMPLEMENTED": {codes.Unimplemented, 501},
	"INTERNAL": {codes.Internal, 500}, "UNAVAILABLE": {codes.Unavailable, 503}, "UNAUTHENTICATED": {codes.Unauthenticated, 401},
}

type failure struct {
	Status, Reason, Metadata string
	After                    bool
	Times                    int
}

type front struct {
	server *pstest.Server
	key    *rsa.PublicKey // nil: none
	check  bool

	lock     sync.Mutex // guards all below
	failures map[string]*failure
	tokens   []string
	later    time.Duration // ahead of time
	State    struct {
		Calls       map[string]int
		Tokens      int
		Refused     int // calls with no token, or one that is not taken
		LastBearer  string
		Connections int
		MixedKeys   int
	}
}

// ---- errors ----

type problem struct {
	name, message, reason string
	metadata              map[string]string
}

func (p problem) Error() string { return p.name + ": " + p.message }

func toProblem(err error) problem {
	var p problem
	if errors.As(err, &p) {
		return p
	}
	s := status.Convert(err)
	for name, kind := range kinds {
		if kind.code == s.Code() {
			return problem{name: name, message: s.Message()}
		}
	}
	return problem{name: "UNKNOWN", message: s.Message()}
}

func answer(w http.ResponseWriter, code int, value any) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(code)
	text, _ := json.MarshalIndent(value, "", "  ")
	w.Write(append(text, '\n'))
}

func fail(w http.ResponseWriter, err error) {
	p := toProblem(err)
	body := map[string]any{"code": kinds[p.name].http, "message": p.message, "status": p.name}
	if p.reason != "" {
		body["details"] = []any{map[string]any{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": p.reason,
			"domain": "pubsub.googleapis.com", "metadata": p.metadata}}
	}
	answer(w, kinds[p.name].http, map[string]any{"error": body})
}

// ---- who is it? ----

func (f *front) isSigned(token string) bool {
	parts := strings.Split(token, ".")
	if f.key == nil || len(parts) != 3 {
		return false
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err != nil || rsa.VerifyPKCS1v15(f.key, crypto.SHA256, sum[:], signature) != nil {
		return false
	}
	var claims struct {
		Aud, Iss, Sub string
		Iat, Exp      int64
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	now := time.Now().Unix()
	return err == nil && json.Unmarshal(text, &claims) == nil && claims.Aud == audience && claims.Iss == claims.Sub &&
		claims.Iat <= now && claims.Exp > now && claims.Exp-claims.Iat <= 3600
}

func (f *front) isKnown(r *http.Request) bool {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	f.lock.Lock()
	defer f.lock.Unlock()
	f.State.LastBearer = token
	known := !f.check || ok && (slices.Contains(f.tokens, token) || f.isSigned(token))
	if !known {
		f.State.Refused++
	}
	return known
}

func (f *front) giveToken(w http.ResponseWriter, r *http.Request) {
	f.lock.Lock()
	f.State.Tokens++
	token := fmt.Sprintf("ya29.test-%d", f.State.Tokens)
	f.tokens = append(f.tokens, token)
	f.lock.Unlock()
	if r.Method == "POST" && r.FormValue("refresh_token") != "1//refresh" {
		answer(w, 400, map[string]string{"error": "invalid_grant", "error_description": "Bad Request"})
		return
	}
	answer(w, 200, map[string]any{"access_token": token, "expires_in": 3599, "token_type": "Bearer"})
}

// ---- control ----

func (f *front) control(w http.ResponseWriter, r *http.Request) {
	f.lock.Lock()
	defer f.lock.Unlock()
	switch strings.TrimPrefix(r.URL.Path, "/control/") {
	case "fail":
		times, _ := strconv.Atoi(r.FormValue("times"))
		f.failures[r.FormValue("verb")] = &failure{r.FormValue("status"), r.FormValue("reason"), r.FormValue("metadata"),
			r.FormValue("after") == "1", times}
	case "calm":
		clear(f.failures)
	case "expire":
		f.tokens = nil
	case "return":
		f.later += 61 * time.Second // pstest drops what is older than ten minutes
		later := f.later
		f.server.SetTimeNowFunc(func() time.Time { return time.Now().Add(later) })
	}
	answer(w, 200, f.State)
}

// The failure that is due for this call, if one is.
func (f *front) due(verb string) *failure {
	f.lock.Lock()
	defer f.lock.Unlock()
	f.State.Calls[verb]++
	next := f.failures[verb]
	if next == nil || next.Times == 0 {
		return nil
	}
	next.Times--
	return next
}

func (x *failure) problem(ids []string) problem {
	p := problem{name: x.Status, message: "injected"}
	if x.Reason != "" {
		p.reason, p.metadata = x.Reason, map[string]string{}
		for _, id := range ids {
			p.metadata[id] = x.Metadata
		}
	}
	return p
}

// ---- calls ----

func bad(format string, a ...any) error {
	return problem{name: "INVALID_ARGUMENT", message: fmt.Sprintf(format, a...)}
}

// The limits of cloud.google.com/pubsub/quotas, which pstest does not have.
func (f *front) checkPublish(m *pubsubpb.PublishRequest) error {
	if len(m.Messages) == 0 || len(m.Messages) > messagesMax {
		return bad("The value for message_count is wrong: %d.", len(m.Messages))
	}
	if proto.Size(m) > requestMax {
		return bad("The value for request_size is too large: %d.", proto.Size(m))
	}
	for _, x := range m.Messages {
		if x.OrderingKey != m.Messages[0].OrderingKey {
			f.lock.Lock()
			f.State.MixedKeys++
			f.lock.Unlock()
			return bad("All messages of a request must have the same ordering key.")
		}
		if len(x.Data) == 0 && len(x.Attributes) == 0 {
			return bad("A message must have data or an attribute.")
		}
		if len(x.Attributes) > 100 || len(x.OrderingKey) > 1024 {
			return bad("Too many attributes, or an ordering key that is too long.")
		}
		for name, value := range x.Attributes {
			if name == "" || len(name) > 256 || len(value) > 1024 || strings.HasPrefix(name, "goog") {
				return bad("An attribute that cannot be.")
			}
		}
	}
	return nil
}

// Waits for messages as long as the caller wants.
func (f *front) pull(ctx context.Context, m *pubsubpb.PullRequest, wait time.Duration) (proto.Message, error) {
	m.ReturnImmediately = true // else pstest looks again after half a second only
	for end := time.Now().Add(wait); ; time.Sleep(5 * time.Millisecond) {
		res, err := f.server.GServer.Pull(ctx, m)
		if err != nil || len(res.ReceivedMessages) > 0 {
			return res, err
		}
		if time.Now().After(end) {
			return nil, problem{name: "DEADLINE_EXCEEDED", message: "The operation was not done in time."}
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
}

func (f *front) call(r *http.Request, name, verb string, body []byte) (proto.Message, error) {
	var res proto.Message
	var err error
	read := func(m proto.Message) error {
		if len(body) > 0 && protojson.Unmarshal(body, m) != nil {
			return bad("Invalid JSON payload received.")
		}
		return nil
	}
	g, ctx := &f.server.GServer, r.Context()
	injected := f.due(verb)
	var ids struct{ AckIds []string }
	json.Unmarshal(body, &ids)
	if injected != nil && !injected.After {
		return nil, injected.problem(ids.AckIds)
	}
	switch verb {
	case "publish":
		m := &pubsubpb.PublishRequest{}
		if err = read(m); err == nil {
			err = f.checkPublish(m)
		}
		if m.Topic = name; err == nil {
			res, err = g.Publish(ctx, m)
		}
	case "pull":
		m := &pubsubpb.PullRequest{}
		seconds, _ := strconv.ParseFloat(r.Header.Get("X-Server-Timeout"), 64)
		if err = read(m); err == nil {
			m.Subscription = name
			res, err = f.pull(ctx, m, time.Duration(seconds*float64(time.Second)))
		}
	case "acknowledge":
		m := &pubsubpb.AcknowledgeRequest{}
		if err = read(m); err == nil {
			m.Subscription = name
			res, err = g.Acknowledge(ctx, m)
		}
	case "modifyAckDeadline":
		m := &pubsubpb.ModifyAckDeadlineRequest{}
		if err = read(m); err == nil {
			m.Subscription = name
			res, err = g.ModifyAckDeadline(ctx, m)
		}
	default:
		return nil, problem{name: "NOT_FOUND", message: "no such method"}
	}
	if err == nil && injected != nil {
		return nil, injected.problem(ids.AckIds)
	}
	return res, err
}

// Topics and subscriptions are made (PUT) and deleted.
func (f *front) resource(r *http.Request, name string, body []byte) (proto.Message, error) {
	g, ctx := &f.server.GServer, r.Context()
	topic, deletes := strings.Contains(name, "/topics/"), r.Method == "DELETE"
	switch {
	case topic && deletes:
		return g.DeleteTopic(ctx, &pubsubpb.DeleteTopicRequest{Topic: name})
	case deletes:
		return g.DeleteSubscription(ctx, &pubsubpb.DeleteSubscriptionRequest{Subscription: name})
	case topic:
		return g.CreateTopic(ctx, &pubsubpb.Topic{Name: name})
	}
	m := &pubsubpb.Subscription{}
	if len(body) > 0 && protojson.Unmarshal(body, m) != nil {
		return nil, bad("Invalid JSON payload received.")
	}
	m.Name = name
	return g.CreateSubscription(ctx, m)
}

func (f *front) rest(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if !f.isKnown(r) {
		fail(w, problem{name: "UNAUTHENTICATED", message: "Request had invalid authentication credentials."})
		return
	}
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	colon := strings.LastIndex(path, ":")
	if r.Method == "PUT" || r.Method == "DELETE" {
		res, err := f.resource(r, path, body)
		reply(w, r, res, err)
		return
	}
	if r.Method != "POST" || colon < 0 {
		fail(w, problem{name: "NOT_FOUND", message: "no such method"})
		return
	}
	verb := path[colon+1:]
	if (verb == "acknowledge" || verb == "modifyAckDeadline") && len(body) > ackBytesMax {
		fail(w, bad("Request payload size exceeds the limit: %d bytes.", ackBytesMax))
		return
	}
	res, err := f.call(r, path[:colon], verb, body)
	reply(w, r, res, err)
}

func reply(w http.ResponseWriter, r *http.Request, res proto.Message, err error) {
	if err != nil {
		fail(w, err)
		return
	}
	text, _ := protojson.MarshalOptions{Multiline: r.URL.Query().Get("prettyPrint") != "false"}.Marshal(res)
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.Write(append(text, '\n'))
}

func (f *front) metadata(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Metadata-Flavor", "Google")
	switch {
	case r.Header.Get("Metadata-Flavor") != "Google":
		http.Error(w, "Missing required header", 403)
	case strings.HasSuffix(r.URL.Path, "/project/project-id"):
		io.WriteString(w, "shop")
	case strings.HasSuffix(r.URL.Path, "/service-accounts/default/token"):
		f.giveToken(w, r)
	default:
		http.NotFound(w, r)
	}
}

func readKey(path string) *rsa.PublicKey {
	text, err := os.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		log.Fatal(err)
	}
	return key.(*rsa.PublicKey)
}

func main() {
	grpcAt := flag.String("grpc", "127.0.0.1:8085", "address of the gRPC interface")
	restAt := flag.String("rest", "127.0.0.1:8086", "address of the REST interface")
	key := flag.String("key", "", "PEM file: the public key of a service account")
	check := flag.Bool("check", false, "bearer tokens are checked")
	flag.Parse()
	f := &front{server: pstest.NewServer(), check: *check, failures: map[string]*failure{}}
	f.State.Calls = map[string]int{}
	if *key != "" {
		f.key = readKey(*key)
	}
	listener, err := net.Listen("tcp", *grpcAt)
	if err != nil {
		log.Fatal(err)
	}
	g := grpc.NewServer(grpc.MaxRecvMsgSize(32<<20), grpc.MaxSendMsgSize(64<<20))
	pubsubpb.RegisterPublisherServer(g, &f.server.GServer)
	pubsubpb.RegisterSubscriberServer(g, &f.server.GServer)
	go g.Serve(listener)
	http.HandleFunc("/v1/", f.rest)
	http.HandleFunc("/token", f.giveToken)
	http.HandleFunc("/computeMetadata/v1/", f.metadata)
	http.HandleFunc("/control/", f.control)
	rest := &http.Server{Addr: *restAt, ConnState: func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			f.lock.Lock()
			f.State.Connections++
			f.lock.Unlock()
		}
	}}
	log.Fatal(rest.ListenAndServe())
}
