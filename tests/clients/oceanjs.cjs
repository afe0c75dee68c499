// ocean.js at a test's command: JSON commands on standard input, JSON answers on standard output, one a line.
// argv: folder of the installed client, RPC address, private key of the consumer. What the client prints is dropped.
//
// {"command": "provider", "arguments": {"method": "getNonce", "values": [...]}} calls a method of ProviderInstance;
// "@signer" among the values is the consumer's wallet, null is undefined. The others are functions below.
const path = require('path')
const readline = require('readline')
const [folder, rpc, key] = process.argv.slice(2)
const client = require('module').createRequire(path.join(path.resolve(folder), 'package.json'))
for (const name of ['log', 'info', 'warn', 'error', 'debug']) console[name] = () => {}

const { ethers } = client('ethers')
const { ProviderInstance, Datatoken, downloadFile, approveWei } = client('@oceanprotocol/lib')
const node = new ethers.providers.JsonRpcProvider(rpc)
node.pollingInterval = 50
const signer = new ethers.Wallet(key, node)
// On the development chain 3.0.4 wants a wallet that is the node's own, with the call that such a one has for signing.
signer._legacySignMessage = (bytes) => signer.signMessage(bytes)
const datatoken = new Datatoken(signer, 8996)

const commands = {
  provider: ({ method, values }) =>
    ProviderInstance[method](...values.map((v) => (v === '@signer' ? signer : v === null ? undefined : v))),

  async startOrder({ datatoken: token, consumer, serviceIndex, fee }) {
    await payFee(token, fee)
    const sent = await datatoken.startOrder(token, consumer, serviceIndex, fee)
    return (await sent.wait()).transactionHash
  },

  async reuseOrder({ datatoken: token, order, fee }) {
    await payFee(token, fee)
    const sent = await datatoken.reuseOrder(token, order, fee)
    return (await sent.wait()).transactionHash
  },

  async downloadFile({ url, index }) {
    const { filename, data } = await downloadFile(url, index)
    return { filename, text: Buffer.from(data).toString() }
  }
}

async function payFee(token, fee) {
  if (fee.providerFeeAmount === '0') return
  const sent = await approveWei(signer, { chainId: 8996 }, signer.address, fee.providerFeeToken, token, fee.providerFeeAmount)
  if (sent && sent.wait) await sent.wait()
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const asked = JSON.parse(line)
    let answer
    try {
      answer = { result: (await commands[asked.command](asked.arguments)) ?? null }
    } catch (error) {
      answer = { error: `${error.name}: ${error.message}` }
    }
    process.stdout.write(JSON.stringify(answer) + '\n')
  }
  process.exit(0)
}
main()
