// Event Hubs' Kafka endpoint for tests: kfake with the service's login (SASL PLAIN, user "$ConnectionString"), its limit of a
// message, and TLS where it is given a certificate. The password is the environment's EVENTHUBS_CONNECTION_STRING.
//
// Says "ready HOST:PORT" once it listens, and ends with its standard input.
package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"strings"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kversion"
)

func main() {
	port := flag.Int("port", 0, "where to listen, on 127.0.0.1")
	certificate := flag.String("certificate", "", "PEM; with -key turns TLS on")
	key := flag.String("key", "", "PEM")
	hubs := flag.String("hubs", "", "names, parted by commas")
	partitions := flag.Int("partitions", 2, "of each")
	longest := flag.String("longest", "1046528", "bytes of a message")
	flag.Parse()

	options := []kfake.Opt{
		kfake.NumBrokers(1),
		kfake.Ports(*port),
		kfake.SeedTopics(int32(*partitions), strings.Split(*hubs, ",")...),
		kfake.BrokerConfigs(map[string]string{"message.max.bytes": *longest, "group.min.session.timeout.ms": "1000"}),
		// Above this it answers DescribeTopicPartitions in a way that clients do not understand.
		kfake.MaxVersions(kversion.V3_6_0()),
	}
	if password := os.Getenv("EVENTHUBS_CONNECTION_STRING"); password != "" {
		options = append(options, kfake.EnableSASL(), kfake.Superuser("PLAIN", "$ConnectionString", password))
	}
	if *certificate != "" {
		pair, err := tls.LoadX509KeyPair(*certificate, *key)
		if err != nil {
			log.Fatal(err)
		}
		options = append(options, kfake.TLS(&tls.Config{Certificates: []tls.Certificate{pair}}))
	}
	cluster, err := kfake.NewCluster(options...)
	if err != nil {
		log.Fatal(err)
	}
	defer cluster.Close()
	fmt.Println("ready", strings.Join(cluster.ListenAddrs(), ","))
	io.Copy(io.Discard, os.Stdin)
}
