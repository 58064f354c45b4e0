package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"cloud.google.com/go/pubsub"
	"cloud.google.com/go/pubsub/pstest"
	"google.golang.org/api/option"
	iampb "google.golang.org/genproto/googleapis/iam/v1"
	pb "google.golang.org/genproto/googleapis/pubsub/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// Longer than the service takes, so that its own limit is the one that is met.
const longestRequest = 32 << 20

type server struct {
	fake    *pstest.Server
	service *service
	tokens  *tokens
	plain   *door
	secure  *door
	ca      string
}

// A door is an address at which the service is, or is not.
type door struct {
	service     *service
	certificate *tls.Certificate

	mu       sync.Mutex
	port     int
	listener *connections
	grpc     *grpc.Server
}

func newServer() (*server, error) {
	certificate, ca, err := newCertificate()
	if err != nil {
		return nil, err
	}
	fake := pstest.NewServer()
	tokens := newTokens()
	service := newService(&fake.GServer, tokens)
	s := &server{
		fake: fake, service: service, tokens: tokens, ca: ca,
		plain: &door{service: service}, secure: &door{service: service, certificate: certificate},
	}
	for _, door := range []*door{s.plain, s.secure} {
		if err := door.open(); err != nil {
			return nil, err
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	tokens.address = "http://" + listener.Addr().String()
	go http.Serve(listener, tokens)
	return s, nil
}

func (s *server) addresses() map[string]interface{} {
	return map[string]interface{}{
		"plain": s.plain.port, "secure": s.secure.port, "tokens": s.tokens.address, "ca": s.ca,
	}
}

// Waits for a stop that has not let go of the port yet.
func (d *door) open() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.grpc != nil {
		return nil
	}
	var listener net.Listener
	var err error
	for attempt := 0; attempt < 100; attempt++ {
		listener, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", d.port))
		if err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err != nil {
		return err
	}
	d.port = listener.Addr().(*net.TCPAddr).Port
	options := []grpc.ServerOption{grpc.MaxRecvMsgSize(longestRequest)}
	if d.certificate != nil {
		options = append(options, grpc.Creds(credentials.NewServerTLSFromCert(d.certificate)))
	}
	d.grpc = grpc.NewServer(options...)
	pb.RegisterPublisherServer(d.grpc, d.service)
	pb.RegisterSubscriberServer(d.grpc, d.service)
	iampb.RegisterIAMPolicyServer(d.grpc, d.service)
	d.listener = &connections{Listener: listener, open: map[net.Conn]bool{}}
	go d.grpc.Serve(d.listener)
	return nil
}

func (d *door) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.grpc == nil {
		return
	}
	d.grpc.Stop()
	d.grpc = nil
}

func (d *door) cut() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.grpc == nil {
		return 0
	}
	return d.listener.cut()
}

func (d *door) freeze() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.grpc == nil {
		return 0
	}
	return d.listener.freeze()
}

// Connections remembers what it has accepted, so that it can be cut off.
type connections struct {
	net.Listener
	mu   sync.Mutex
	open map[net.Conn]bool
}

type connection struct {
	net.Conn
	owner  *connections
	frozen int32
}

// What a dead path behind a proxy looks like: what comes is taken, and nothing is passed on.
func (c *connection) Read(bytes []byte) (int, error) {
	for {
		count, err := c.Conn.Read(bytes)
		if err != nil || atomic.LoadInt32(&c.frozen) == 0 {
			return count, err
		}
	}
}

func (c *connection) Write(bytes []byte) (int, error) {
	if atomic.LoadInt32(&c.frozen) != 0 {
		return len(bytes), nil
	}
	return c.Conn.Write(bytes)
}

func (c *connections) freeze() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.open {
		atomic.StoreInt32(&conn.(*connection).frozen, 1)
	}
	return len(c.open)
}

func (c *connections) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err != nil {
		return nil, err
	}
	accepted := &connection{Conn: conn, owner: c}
	c.mu.Lock()
	c.open[accepted] = true
	c.mu.Unlock()
	return accepted, nil
}

func (c *connection) Close() error {
	c.owner.mu.Lock()
	delete(c.owner.open, c)
	c.owner.mu.Unlock()
	return c.Conn.Close()
}

func (c *connections) cut() int {
	c.mu.Lock()
	var open []net.Conn
	for conn := range c.open {
		open = append(open, conn)
	}
	c.mu.Unlock()
	for _, conn := range open {
		if tcp, ok := conn.(*connection).Conn.(*net.TCPConn); ok {
			tcp.SetLinger(0)
		}
		conn.Close()
	}
	return len(open)
}

// What has been published, as Google's Go client reads it through a subscription.
func (s *server) pull(project, topic string, count int) ([]record, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	client, err := pubsub.NewClient(
		ctx, project, option.WithEndpoint(fmt.Sprintf("127.0.0.1:%d", s.plain.port)), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithInsecure()))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	var mu sync.Mutex
	seen := map[string]record{}
	var ids []string
	err = client.Subscription(topic+"-reader").Receive(ctx, func(_ context.Context, m *pubsub.Message) {
		m.Ack()
		mu.Lock()
		defer mu.Unlock()
		if _, ok := seen[m.ID]; !ok {
			ids = append(ids, m.ID)
		}
		seen[m.ID] = record{ID: m.ID, Data: m.Data, Attributes: m.Attributes, OrderingKey: m.OrderingKey}
		if len(seen) == count {
			cancel()
		}
	})
	if err != nil {
		return nil, err
	}
	if len(seen) != count {
		return nil, errors.New(fmt.Sprintf("%d messages were read, not %d", len(seen), count))
	}
	sortByNumber(ids)
	records := []record{}
	for _, id := range ids {
		records = append(records, seen[id])
	}
	return records, nil
}

func newCertificate() (*tls.Certificate, string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, "", err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, "", err
	}
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, text, nil
}
