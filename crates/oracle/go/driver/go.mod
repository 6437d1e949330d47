module sigproof/driver

go 1.19
