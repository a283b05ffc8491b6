module peer

go 1.19

require github.com/capitalone/fpe v1.2.1
