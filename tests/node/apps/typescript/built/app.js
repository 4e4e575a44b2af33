"use strict";
var __createBinding = (this && this.__createBinding) || (Object.create ? (function(o, m, k, k2) {
    if (k2 === undefined) k2 = k;
    var desc = Object.getOwnPropertyDescriptor(m, k);
    if (!desc || ("get" in desc ? !m.__esModule : desc.writable || desc.configurable)) {
      desc = { enumerable: true, get: function() { return m[k]; } };
    }
    Object.defineProperty(o, k2, desc);
}) : (function(o, m, k, k2) {
    if (k2 === undefined) k2 = k;
    o[k2] = m[k];
}));
var __setModuleDefault = (this && this.__setModuleDefault) || (Object.create ? (function(o, v) {
    Object.defineProperty(o, "default", { enumerable: true, value: v });
}) : function(o, v) {
    o["default"] = v;
});
var __importStar = (this && this.__importStar) || (function () {
    var ownKeys = function(o) {
        ownKeys = Object.getOwnPropertyNames || function (o) {
            var ar = [];
            for (var k in o) if (Object.prototype.hasOwnProperty.call(o, k)) ar[ar.length] = k;
            return ar;
        };
        return ownKeys(o);
    };
    return function (mod) {
        if (mod && mod.__esModule) return mod;
        var result = {};
        if (mod != null) for (var k = ownKeys(mod), i = 0; i < k.length; i++) if (k[i] !== "default") __createBinding(result, mod, k[i]);
        __setModuleDefault(result, mod);
        return result;
    };
})();
Object.defineProperty(exports, "__esModule", { value: true });
// locate: write=typescript/app.ts:10 read=typescript/app.ts:15 object=cart.owner start=typescript/built/app.js
const http = __importStar(require("node:http"));
class CartStore {
    constructor() {
        this.cart = { owner: null, items: [] };
    }
    open(owner) {
        this.cart.owner = owner;
    }
    async show() {
        await new Promise(done => setTimeout(done, 40));
        return `cart of ${this.cart.owner}`;
    }
}
const store = new CartStore();
http.createServer(async (request, response) => {
    const user = request.headers['x-user'];
    store.open(user ?? 'nobody');
    response.end(await store.show());
}).listen(Number(process.argv[2]), '127.0.0.1');
//# sourceMappingURL=app.js.map