"""What may be asked: the part of Ocean's subgraph that clients read. Anything else is refused as GraphQL does."""

from __future__ import annotations

from functools import cache
from typing import Final

from graphql import GraphQLSchema, build_schema

MOST_ROWS: Final = 1000  # of one list, as graph nodes have it

_SDL: Final = """
scalar BigDecimal
scalar BigInt

enum OrderDirection { asc desc }
enum Order_orderBy { createdTimestamp block }
enum OrderReuse_orderBy { createdTimestamp block }
enum NftUpdate_orderBy { timestamp block }
enum NftUpdateType { METADATA_CREATED METADATA_UPDATED STATE_UPDATED TOKENURI_UPDATED }

input Order_filter { payer: String consumer: String datatoken: String }
input NftUpdate_filter { nft: String! }

type Query {
  "A datatoken by its address in any spelling."
  token(id: ID!): Token
  "Orders of a payer, of a consumer, or of a datatoken."
  orders(
    where: Order_filter! orderBy: Order_orderBy = createdTimestamp orderDirection: OrderDirection = asc
    first: Int = 100 skip: Int = 0
  ): [Order!]!
  nftUpdates(
    where: NftUpdate_filter! orderBy: NftUpdate_orderBy = timestamp orderDirection: OrderDirection = asc
    first: Int = 100 skip: Int = 0
  ): [NftUpdate!]!
  "There is one, with the id 1."
  opc(id: ID!): OPC
  opcs(first: Int = 100 skip: Int = 0): [OPC!]!
  _meta: _Meta_
}

type Token {
  id: ID!
  address: String!
  symbol: String
  name: String
  decimals: Int
  isDatatoken: Boolean!
  templateId: Int
  nft: Nft
  publishMarketFeeAddress: String
  publishMarketFeeToken: String
  publishMarketFeeAmount: BigDecimal
  orders(
    where: Order_filter orderBy: Order_orderBy = createdTimestamp orderDirection: OrderDirection = asc
    first: Int = 100 skip: Int = 0
  ): [Order!]
  dispensers: [Dispenser!]
  fixedRateExchanges: [FixedRateExchange!]
}

type Nft { id: ID! address: String! owner: User }
type User { id: ID! }

type Order {
  id: ID!
  datatoken: Token!
  consumer: User!
  payer: User!
  amount: BigDecimal!
  serviceIndex: Int!
  publishingMarket: User
  "The fee paid with it, a JSON text."
  providerFee: String
  providerFeeValidUntil: BigInt
  createdTimestamp: Int!
  tx: String!
  eventIndex: Int!
  block: Int!
  reuses(
    orderBy: OrderReuse_orderBy = createdTimestamp orderDirection: OrderDirection = asc
    first: Int = 100 skip: Int = 0
  ): [OrderReuse!]
}

type OrderReuse {
  id: ID!
  order: Order!
  caller: String!
  providerFee: String
  providerFeeValidUntil: BigInt
  createdTimestamp: Int!
  tx: String!
  eventIndex: Int!
  block: Int!
}

type Dispenser {
  id: ID!
  contract: String!
  token: Token!
  active: Boolean!
  isMinter: Boolean
  maxBalance: BigDecimal!
}

type FixedRateExchange {
  id: ID!
  contract: String!
  exchangeId: String!
  datatoken: Token!
  baseToken: Token!
  price: BigDecimal!
  active: Boolean!
  publishMarketSwapFee: BigDecimal
}

type NftUpdate {
  id: ID!
  nft: Nft!
  type: NftUpdateType!
  userAddress: String!
  timestamp: Int!
  tx: String!
  block: Int!
}

type OPC {
  id: ID!
  swapOceanFee: BigDecimal
  swapNonOceanFee: BigDecimal
  orderFee: BigDecimal
  providerFee: BigDecimal
  approvedTokens: [Token!]
}

type _Meta_ { block: _Block_! deployment: String! hasIndexingErrors: Boolean! }
type _Block_ { number: Int! hash: String timestamp: Int }
"""


@cache
def schema() -> GraphQLSchema:
    return build_schema(_SDL)
